use super::*;

fn hop(from: &str, status: u16, location: Option<&str>) -> Result<Option<String>, &'static str> {
    let mut headers = HeaderMap::new();
    if let Some(location) = location {
        headers.insert(LOCATION, location.parse().unwrap());
    }
    let status = StatusCode::from_u16(status).unwrap();
    let insecure = |host: &str| Settings { insecure: true, ..Settings::new(host) };
    let plain_http = PlainHttp::of(&[insecure("r"), insecure("s:5000"), Settings::new("t")]);
    match next_hop(&from.parse().unwrap(), status, &headers, &plain_http) {
        Ok(url) => Ok(url.map(String::from)),
        Err(Trouble::Redirect(Redirect::ToHttp)) => Err("to http"),
        Err(Trouble::Redirect(Redirect::Insecure(_))) => Err("insecure"),
        Err(Trouble::Redirect(Redirect::Userinfo)) => Err("userinfo"),
        Err(Trouble::Redirect(Redirect::Nowhere)) => Err("nowhere"),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_location_is_absolute_or_relative_to_what_was_asked() {
    let from = "https://lscr.io/v2/a/manifests/1";
    let there = |url: &str| Ok(Some(url.to_owned()));
    assert_eq!(
        hop(from, 307, Some("https://ghcr.io/v2/a/manifests/1")),
        there("https://ghcr.io/v2/a/manifests/1")
    );
    assert_eq!(hop(from, 301, Some("/other")), there("https://lscr.io/other"));
    assert_eq!(hop(from, 308, Some("2")), there("https://lscr.io/v2/a/manifests/2"));
    assert_eq!(hop("http://r/v2/a", 302, Some("https://r/v2/a")), there("https://r/v2/a"));
}

#[test]
fn plain_http_is_followed_only_where_it_is_allowed() {
    let from = "http://r/v2/a";
    for allowed in ["http://r/b", "http://s:5000/v2/a"] {
        assert_eq!(hop(from, 302, Some(allowed)), Ok(Some(allowed.to_owned())));
    }
    for refused in ["http://s/v2/a", "http://r:81/v2/a", "http://t/v2/a", "http://169.254.169.254/"] {
        assert_eq!(hop(from, 302, Some(refused)), Err("insecure"), "{refused}");
    }
}

#[test]
fn no_redirect_leads_from_https_to_http_nor_to_a_login_nor_out_of_http() {
    let from = "https://r.example.com/v2/a";
    assert_eq!(hop(from, 302, Some("http://r.example.com/v2/a")), Err("to http"));
    assert_eq!(hop(from, 302, Some("https://ci:secret@r.example.com/")), Err("userinfo"));
    assert_eq!(hop(from, 302, Some("https://ci@r.example.com/")), Err("userinfo"));
    for nowhere in [Some("file:///etc/passwd"), Some("ftp://r/"), Some("https://"), None] {
        assert_eq!(hop(from, 302, nowhere), Err("nowhere"), "{nowhere:?}");
    }
}

#[test]
fn a_location_without_a_redirect_is_not_followed() {
    for status in [200, 201, 300, 304, 401, 404, 503] {
        assert_eq!(hop("https://r/v2/a", status, Some("https://s/")), Ok(None), "{status}");
    }
}
