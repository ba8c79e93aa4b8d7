use super::{is_local, normal};

#[test]
fn only_this_machine_and_private_addresses_written_as_such_are_local() {
    let local = [
        "localhost",
        "localhost:5000",
        "127.0.0.1:5000",
        "10.255.0.1",
        "172.16.0.1",
        "192.168.1.1:80",
        "[::1]:5000",
        "[::1]",
        "[fc00::1]:443",
        "[fd12:3456::1]",
    ];
    for host in local {
        assert!(is_local(host), "{host}");
    }
    let far = [
        "docker.io",
        "localhost.example.com",
        "172.32.0.1",
        "169.254.1.1",
        "192.169.0.1:5000",
        "[2001:db8::1]:5000",
        "[fe80::1]",
        "127.0.0.1.example.com",
        "",
    ];
    for host in far {
        assert!(!is_local(host), "{host}");
    }
}

#[test]
fn a_host_is_what_references_can_name() {
    assert_eq!(normal("registry.example.com:5000").as_deref(), Some("registry.example.com:5000"));
    assert_eq!(normal("REG.example.COM:5000").as_deref(), Some("reg.example.com:5000"));
    assert_eq!(normal("index.docker.io").as_deref(), Some("docker.io"));
    for text in ["registry", "reg.example.com/team", "https://reg.example.com", "reg.example.com:", ""] {
        assert_eq!(normal(text), None, "{text}");
    }
}
