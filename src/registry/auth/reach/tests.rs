use super::*;

#[test]
fn addresses_that_not_all_the_world_reaches_are_inward_in_each_spelling() {
    let inward = [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "192.0.0.192",
        "255.255.255.255",
        "224.0.0.1",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "fec0::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::10.0.0.1",
        "64:ff9b::a00:1",
    ];
    for address in inward {
        assert!(is_inward(address.parse().unwrap()), "{address}");
    }
    let outward = [
        "1.1.1.1",
        "172.15.0.1",
        "172.32.0.1",
        "100.63.0.1",
        "100.128.0.1",
        "192.0.1.1",
        "192.167.0.1",
        "2606:4700::1",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
    ];
    for address in outward {
        assert!(!is_inward(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn of_a_names_addresses_the_inward_ones_are_left_out_and_missed_if_they_are_all() {
    let of = |addresses: &[&str]| {
        let parse = |text: &&str| SocketAddr::new(text.parse().unwrap(), 443);
        outward(addresses.iter().map(parse).collect::<Vec<_>>().into_iter())
    };
    assert_eq!(of(&["10.0.0.1", "1.1.1.1"]).unwrap().len(), 1);
    let error = of(&["10.0.0.1", "::1"]).unwrap_err().to_string();
    assert!(error.contains("private address 10.0.0.1") && error.contains("trusted_realms"), "{error}");
    assert!(of(&[]).is_err());
}

#[tokio::test]
async fn a_name_for_this_machine_is_not_found_unless_it_is_the_users_proxy() {
    let resolve = |proxies: &[&str]| {
        let proxies = proxies.iter().filter_map(|text| proxy_host(text)).collect();
        Outward { proxies }.resolve("localhost".parse().unwrap())
    };
    assert!(resolve(&[]).await.is_err());
    for proxy in ["http://localhost:3128", "localhost:3128", "http://user:secret@LOCALHOST:1/"] {
        assert!(resolve(&[proxy]).await.is_ok(), "{proxy}");
    }
}
