//! Signing a claim with RS256 (RFC 7515 with RFC 7518, section 3.3).

use aws_lc_rs::signature::RsaKeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// A private key, in a text with lines of base64 (RFC 7468): PKCS#8, which Google hands
/// out, or PKCS#1.
///
/// # Errors
/// What is wrong with it, without a part of it.
pub(super) fn private_key(pem: &str) -> Result<RsaKeyPair, &'static str> {
    let body = |label: &str| {
        let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
        let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
        let digits = Zeroizing::new(body.split_whitespace().collect::<String>());
        STANDARD.decode(digits.as_bytes()).ok().map(Zeroizing::new)
    };
    let odd = "it is no RSA key of 2048 to 8192 bits";
    if let Some(der) = body("PRIVATE KEY") {
        return RsaKeyPair::from_pkcs8(&der).map_err(|_| odd);
    }
    match body("RSA PRIVATE KEY") {
        Some(der) => RsaKeyPair::from_der(&der).map_err(|_| odd),
        None => Err("it is no key between lines with BEGIN PRIVATE KEY and END PRIVATE KEY"),
    }
}

/// Header, claims and signature with dots between. Signing takes chance, so that
/// `sign` is an argument. `None` if the key cannot sign.
pub(super) fn signed(
    header: &str,
    claims: &str,
    sign: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> Option<Zeroizing<String>> {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let mut text = Zeroizing::new(format!("{}.{}", part(header), part(claims)));
    let signature = sign(text.as_bytes())?;
    text.push('.');
    text.push_str(&URL_SAFE_NO_PAD.encode(&signature));
    Some(text)
}

#[cfg(test)]
pub(super) mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::RSA_PKCS1_SHA256;

    use super::*;

    pub(in super::super) fn sign(key: &RsaKeyPair, text: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; key.public_modulus_len()];
        let chance = SystemRandom::new();
        key.sign(&RSA_PKCS1_SHA256, &chance, text, &mut signature)
            .ok()?;
        Some(signature)
    }

    /// The key of RFC 7515, appendix A.2.1: n, e, d, p, q, dp, dq, qi.
    const KEY: [&str; 8] = [
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        "AQAB",
        "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
        "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
        "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
        "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0",
        "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU",
        "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U",
    ];

    /// Its claims, with the line ends that the example has.
    const CLAIMS: &str =
        "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";

    /// What it signs to.
    const SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

    /// A tag with its length (X.690, section 8.1).
    fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let mut out = vec![tag];
        let [.., high, low] = length.to_be_bytes();
        match length {
            0..=127 => out.push(low),
            128..=255 => out.extend([0x81, low]),
            _ => out.extend([0x82, high, low]),
        }
        out.extend_from_slice(content);
        out
    }

    fn integer(bytes: &[u8]) -> Vec<u8> {
        let mut content = bytes.to_vec();
        if content.first().is_some_and(|first| *first > 127) {
            content.insert(0, 0);
        }
        tagged(2, &content)
    }

    /// The same key as Google would hand it out, or in the older form.
    pub(in super::super) fn pem(is_pkcs8: bool) -> String {
        let numbers = KEY.map(|digits| integer(&URL_SAFE_NO_PAD.decode(digits).unwrap()));
        let pkcs1 = tagged(0x30, &[integer(&[0]), numbers.concat()].concat());
        // rsaEncryption (RFC 8017, appendix C).
        let algorithm = [
            0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0,
        ];
        let parts = [integer(&[0]), algorithm.to_vec(), tagged(4, &pkcs1)];
        let (label, der) = if is_pkcs8 {
            ("PRIVATE KEY", tagged(0x30, &parts.concat()))
        } else {
            ("RSA PRIVATE KEY", pkcs1)
        };
        let digits = STANDARD.encode(der);
        let lines: Vec<&str> = digits
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            lines.join("\n")
        )
    }

    #[test]
    fn a_signature_is_that_of_the_standards_own_example() {
        for is_pkcs8 in [true, false] {
            let key = private_key(&pem(is_pkcs8)).unwrap();
            let signed = signed("{\"alg\":\"RS256\"}", CLAIMS, |text| sign(&key, text)).unwrap();
            let parts: Vec<&str> = signed.split('.').collect();
            assert_eq!(parts[0], "eyJhbGciOiJSUzI1NiJ9");
            assert_eq!(URL_SAFE_NO_PAD.decode(parts[1]).unwrap(), CLAIMS.as_bytes());
            assert_eq!(parts[2], SIGNATURE);
        }
    }

    #[test]
    fn what_is_no_key_is_said_without_a_part_of_it() {
        for text in [
            "",
            "secret",
            "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\nc2VjcmV0",
        ] {
            let problem = private_key(text).err().unwrap();
            assert!(
                !problem.contains("c2V") && !problem.contains("secret"),
                "{problem}"
            );
        }
    }
}
