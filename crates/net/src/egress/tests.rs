//! The tables are wide on purpose: one line holds many cases.

use super::*;
use crate::origin::OriginError;

/// Whether a URL from anybody, taken literally, may be called: `None` when
/// the form itself is refused or names a host to resolve.
fn literal_verdict(url: &str) -> Result<Option<bool>, OriginError> {
    let (origin, _) = Origin::parse(url)?;
    Ok(match origin.host() {
        OriginHost::Ip(ip) => Some(EgressPolicy::deny_private().check(&origin, *ip).is_ok()),
        OriginHost::Name(_) => None,
    })
}

/// Addresses as text, none of which may be reached.
const NOT_ROUTABLE: &[&str] = &[
    "0.0.0.0", "0.0.0.1", "0.255.255.255", "10.0.0.0", "10.1.2.3", "10.255.255.255",
    "100.64.0.0", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.0", "127.0.0.1",
    "127.1.2.3", "127.255.255.255", "169.254.0.0", "169.254.169.254", "169.254.170.2",
    "169.254.255.255", "172.16.0.0", "172.16.0.1", "172.20.1.1", "172.31.255.255", "192.0.0.0",
    "192.0.0.8", "192.0.0.170", "192.0.0.192", "192.0.0.255", "192.0.2.1", "192.31.196.1",
    "192.52.193.1", "192.88.99.1", "192.168.0.0", "192.168.0.1", "192.168.255.255",
    "192.175.48.1", "198.18.0.0", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
    "224.0.0.0", "224.0.0.1", "239.255.255.250", "239.255.255.255", "240.0.0.0", "240.0.0.1",
    "250.1.2.3", "255.255.255.254", "255.255.255.255",
    "::", "::1", "::2", "::7f00:1", "::127.0.0.1", "::10.0.0.1", "::8.8.8.8", "::ffff:0.0.0.0",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:192.168.1.1",
    "::ffff:7f00:1", "::ffff:a9fe:a9fe", "::ffff:100.64.0.1", "::ffff:255.255.255.255",
    "0:0:0:0:0:ffff:7f00:0001", "::ffff:0:127.0.0.1", "::ffff:0:8.8.8.8",
    "64:ff9b::", "64:ff9b::7f00:1", "64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254",
    "64:ff9b::8.8.8.8", "64:ff9b:1::", "64:ff9b:1::1", "64:ff9b:1:ffff::10.0.0.1",
    "100::", "100::1", "100:0:0:1::1", "2001::", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:1::1", "2001:2::1", "2001:3::1", "2001:4:112::1", "2001:10::1", "2001:20::1",
    "2001:1ff:ffff::1", "2001:db8::", "2001:db8::1", "2001:db8:ffff::1", "2002::", "2002::1",
    "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:808:808::1", "2620:4f:8000::1", "3fff::1",
    "3fff:fff::1", "4000::1", "5f00::1", "8000::1", "fc00::", "fc00::1", "fd00::1",
    "fd00:ec2::254", "fd00:ec2::23", "fd12:3456:789a::1", "fdff:ffff::1", "fe80::", "fe80::1",
    "fe80::a9fe:a9fe", "febf::1", "fec0::1", "feff::1", "ff00::1", "ff02::1", "ff02::fb",
    "ff05::2", "ff0e::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];

const ROUTABLE: &[&str] = &[
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
    "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255",
    "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0",
    "198.17.255.255", "198.20.0.0", "203.0.112.1", "203.0.114.1", "223.255.255.255",
    "::ffff:8.8.8.8", "2001:200::1", "2001:4860:4860::8888", "2001:db7::1", "2001:db9::1",
    "2003::1", "2400:cb00::1", "2600:1f18::1", "2606:4700::1111", "2620:50::1", "2a00:1450::1",
    "3ffe::1", "3fff:1000::1",
];

#[test]
fn the_address_table_is_deny_by_default() {
    for text in NOT_ROUTABLE {
        let ip: IpAddr = text.parse().unwrap();
        assert!(!is_globally_routable(ip), "{text}");
    }
    for text in ROUTABLE {
        let ip: IpAddr = text.parse().unwrap();
        assert!(is_globally_routable(ip), "{text}");
    }
}

#[test]
fn the_same_addresses_are_denied_inside_urls() {
    for text in NOT_ROUTABLE {
        let host = if text.contains(':') { format!("[{text}]") } else { (*text).to_owned() };
        for url in [format!("http://{host}/"), format!("https://{host}:8443/v1?x=y")] {
            assert_eq!(literal_verdict(&url), Ok(Some(false)), "{url}");
        }
    }
    for text in ROUTABLE {
        let host = if text.contains(':') { format!("[{text}]") } else { (*text).to_owned() };
        assert_eq!(literal_verdict(&format!("https://{host}/")), Ok(Some(true)), "{host}");
    }
}

/// Other spellings of private addresses. Whatever the URL standard makes of
/// them is checked after it has made it.
#[test]
fn disguised_addresses_are_denied_or_refused() {
    for url in [
        "http://2130706433/", "http://017700000001/", "http://0x7f000001/", "http://0x7F000001/",
        "http://0177.0.0.1/", "http://0x7f.0.0.1/", "http://0x7f.0x0.0x0.0x1/", "http://127.1/",
        "http://127.0.1/", "http://0177.1/", "http://0x7f.1/", "http://0/", "http://0x0/",
        "http://00000000177.0.0.1/", "http://127.0.0.01/", "http://127.0.0.0x1/",
        "http://2852039166/", "http://0xa9fea9fe/", "http://0xA9.0xFE.0xA9.0xFE/",
        "http://0251.0376.0251.0376/", "http://169.16689662/", "http://169.254.43518/",
        "http://3232235521/", "http://0xc0a80001/", "http://192.168.1/", "http://10.1/",
        "http://167772161/", "http://012.0.0.1/", "http://172.1048577/", "http://127.0.0.1./",
        "http://2130706433./", "http://1\u{ff12}7.0.0.1/", "http://127\u{3002}0\u{3002}0\u{3002}1/",
        "http://\u{2460}\u{2461}\u{2466}.0.0.1/", "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/", "http://[0:0:0:0:0:0:0:1]/", "http://[0000::0001]/",
        "http://[::FFFF:10.0.0.1]/", "http://[64:FF9B::A00:1]/", "HTTP://127.0.0.1/",
        "hTTps://10.0.0.1/", "http://127.0.0.1:80/", "http://127.0.0.1:65535/",
        "http://127.0.0.1?x", "http://0:80/", "http://0.0.0.0:80/",
    ] {
        let verdict = literal_verdict(url);
        assert_ne!(verdict, Ok(Some(true)), "{url}");
        assert_ne!(verdict, Ok(None), "{url} must not be taken for a name");
    }
}

#[test]
fn forms_that_parsers_disagree_about_are_refused() {
    use OriginError::{Fragment, Host, Port, Scheme, Syntax, TooLong, UserInfo};
    for (url, expected) in [
        ("", Syntax), ("/v1", Syntax), ("api.example.com", Syntax), ("http:", Syntax),
        ("http:/api.example.com", Syntax), ("http:api.example.com", Syntax),
        ("//api.example.com", Syntax), ("http://", Host), ("http:///v1", Host),
        ("http:////api.example.com", Host), ("https://?x", Host), ("http://#f", Host),
        ("ftp://api.example.com/", Scheme), ("file:///etc/passwd", Scheme),
        ("gopher://127.0.0.1:70/", Scheme), ("ws://api.example.com/", Scheme),
        ("unix:///run/x.sock", Scheme), ("dict://127.0.0.1/", Scheme), ("data:text/plain,x", Syntax),
        ("javascript:alert(1)", Syntax), ("jar:http://a.example!/", Scheme),
        ("httpx://api.example.com/", Scheme), (" http://api.example.com/", Syntax),
        ("http://api.example.com/ ", Syntax), ("http://api.example.com/a b", Syntax),
        ("ht\ttp://api.example.com/", Syntax), ("http://api.exa\nmple.com/", Syntax),
        ("http://api.example.com\r\n/", Syntax), ("http://api.example.com\0/", Syntax),
        ("http:\\\\api.example.com\\", Syntax), ("http://api.example.com\\@127.0.0.1/", Syntax),
        ("http://a.example\\.127.0.0.1/", Syntax), ("http://user@api.example.com/", UserInfo),
        ("http://user:secret@api.example.com/", UserInfo), ("http://@api.example.com/", UserInfo),
        ("http://:@api.example.com/", UserInfo), ("http://api.example.com@127.0.0.1/", UserInfo),
        ("http://127.0.0.1@api.example.com/", UserInfo), ("http://a:b@c@d.example/", UserInfo),
        ("http://api.example.com#@127.0.0.1/", Fragment), ("http://api.example.com/#f", Fragment),
        ("http://127.0.0.1%2f@api.example.com/", UserInfo), ("http://%31%32%37.0.0.1/", Host),
        ("http://api%2eexample.com/", Host), ("http://[fe80::1%25eth0]/", Host),
        ("http://[fe80::1%eth0]/", Host), ("http://api.example.com./", Host),
        ("http://localhost./", Host), ("http://metadata.google.internal./", Host),
        ("http://./", Host), ("http://../", Host), ("http://.api.example.com/", Host),
        ("http://api.example.com:0/", Port), ("http://api.example.com:65536/", Syntax),
        ("http://api.example.com:-1/", Syntax), ("http://api.example.com:80:80/", Syntax),
        ("http://api.example.com:http/", Syntax), ("http://[::1/", Syntax), ("http://::1/", Syntax),
        ("http://[127.0.0.1]/", Syntax), ("http://[::1]x/", Syntax), ("http://[1::2::3]/", Syntax),
        ("http://1.2.3.4.5/", Syntax), ("http://256.0.0.1/", Syntax), ("http://4294967296/", Syntax),
        ("http://127.0.0.999/", Syntax), ("http://0x100000000/", Syntax), ("http://1.2.3.08/", Syntax),
        ("http://a<b.example/", Syntax), ("http://a^b.example/", Syntax), ("http://a|b.example/", Syntax),
        ("http://xn--/", Syntax),
    ] {
        let got = Origin::parse(url).map(|(origin, path)| format!("{origin}{path}"));
        // Which rule refuses first is of no consequence where two apply.
        let refused = got.as_ref().err().copied();
        assert!(refused.is_some(), "{url:?} was read as {got:?}");
        let same = refused == Some(expected)
            || matches!((refused, expected), (Some(Syntax | Host), Syntax | Host));
        assert!(same, "{url:?}: {refused:?} instead of {expected:?}");
    }
    assert_eq!(
        Origin::parse(&format!("http://a.example/{}", "x".repeat(9000))).unwrap_err(),
        TooLong
    );
}

#[test]
fn usable_urls_are_normalised() {
    for (url, origin, path) in [
        ("https://api.example.com", "https://api.example.com", "/"),
        ("https://API.Example.COM:443/v1", "https://api.example.com", "/v1"),
        ("http://api.example.com:80/v1?a=b", "http://api.example.com", "/v1?a=b"),
        ("HTTP://api.example.com:8080", "http://api.example.com:8080", "/"),
        ("https://b\u{fc}cher.example/", "https://xn--bcher-kva.example", "/"),
        ("https://[2606:4700:0:0::1111]:8443/x", "https://[2606:4700::1111]:8443", "/x"),
        ("https://api.example.com/a/../b", "https://api.example.com", "/b"),
        ("https://api.example.com/v1?x=@y", "https://api.example.com", "/v1?x=@y"),
    ] {
        let (got, got_path) = Origin::parse(url).unwrap();
        assert_eq!((got.to_string().as_str(), got_path.as_str()), (origin, path), "{url}");
    }
}

#[test]
fn an_allowance_holds_for_one_origin_of_the_operators_only() {
    let loopback: IpAddr = "127.0.0.1".parse().unwrap();
    let operators = |url: &str| Origin::parse_operator(url).unwrap().0;
    let anyones = |url: &str| Origin::parse(url).unwrap().0;
    let mut policy = EgressPolicy::deny_private();
    policy.allow_origin(&operators("http://vllm.internal:8000"));
    policy.allow_origin(&anyones("http://vllm.internal:9000"));

    let allowed = operators("http://vllm.internal:8000");
    assert!(policy.check(&allowed, loopback).is_ok());
    assert!(policy.check(&allowed.with_http2(crate::Http2::Prior), loopback).is_ok());
    for refused in [
        operators("http://vllm.internal:8001"),
        operators("https://vllm.internal:8000"),
        operators("http://other.internal:8000"),
        anyones("http://vllm.internal:8000"),
        anyones("http://vllm.internal:9000"),
        operators("http://vllm.internal:9000"),
    ] {
        let error = policy.check(&refused, loopback).unwrap_err();
        assert_eq!(error.kind, NetErrorKind::Egress, "{refused}");
        assert!(policy.check(&refused, "8.8.8.8".parse().unwrap()).is_ok());
    }
}

#[test]
fn an_allowed_name_still_does_not_reach_metadata_services() {
    let mut policy = EgressPolicy::deny_private();
    let named = Origin::parse_operator("http://vllm.internal").unwrap().0;
    policy.allow_origin(&named);
    for text in ["10.0.0.5", "127.0.0.1", "::1", "fd00::5", "100.64.0.9", "::ffff:10.0.0.5"] {
        assert!(policy.check(&named, text.parse().unwrap()).is_ok(), "{text}");
    }
    for text in [
        "169.254.169.254", "::ffff:169.254.169.254", "100.100.100.200", "fd00:ec2::254",
        "fe80::1", "0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1",
    ] {
        assert!(policy.check(&named, text.parse().unwrap()).is_err(), "{text}");
    }
    let literal = Origin::parse_operator("http://169.254.10.1").unwrap().0;
    policy.allow_origin(&literal);
    assert!(policy.check(&literal, "169.254.10.1".parse().unwrap()).is_ok());
    assert!(policy.check(&literal, "169.254.169.254".parse().unwrap()).is_err());
}
