//! Tests of access tokens: what is issued is read, and nothing else is.

use super::*;

const NOW: u64 = 1_795_000_000;

fn issuer() -> TokenIssuer {
    TokenIssuer::new("log.example", &[7; 32])
}

fn subject() -> Subject {
    Subject {
        person: "p_1".into(),
        roles: vec![PersonRole::Auditor],
        device: Some("d_1".into()),
    }
}

#[test]
fn a_token_is_read_back_until_it_expires() {
    let (token, claims) = issuer().issue(&subject(), NOW, [1; 16]).unwrap();
    let verifier = issuer().verifier();
    assert_eq!(verifier.verify(&token, NOW), Ok(claims.clone()));
    assert!(claims.has_role(PersonRole::Auditor) && !claims.has_role(PersonRole::Admin));
    let last = NOW + TOKEN_SECONDS + LEEWAY_SECONDS - 1;
    assert!(verifier.verify(&token, last).is_ok());
    assert_eq!(verifier.verify(&token, last + 1), Err(TokenError::Expired));
    assert_eq!(
        verifier.verify(&token, NOW - LEEWAY_SECONDS - 1),
        Err(TokenError::Times)
    );
}

#[test]
fn other_origins_and_other_keys_are_refused() {
    let verifier = issuer().verifier();
    let (foreign, _) = TokenIssuer::new("other.example", &[7; 32])
        .issue(&subject(), NOW, [1; 16])
        .unwrap();
    assert_eq!(verifier.verify(&foreign, NOW), Err(TokenError::OtherOrigin));
    let (forged, _) = TokenIssuer::new("log.example", &[8; 32])
        .issue(&subject(), NOW, [1; 16])
        .unwrap();
    assert_eq!(verifier.verify(&forged, NOW), Err(TokenError::Signature));
}

#[test]
fn every_flipped_character_is_refused() {
    let (token, _) = issuer().issue(&subject(), NOW, [1; 16]).unwrap();
    let verifier = issuer().verifier();
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(verifier.verify(&changed, NOW).is_err(), "character {at}");
    }
}

#[test]
fn other_algorithms_types_and_lives_are_refused() {
    let verifier = issuer().verifier();
    let none = format!(
        "{}.{}.",
        to_base64url(br#"{"alg":"none","typ":"at+jwt"}"#),
        to_base64url(br#"{"sub":"p_1"}"#)
    );
    assert_eq!(verifier.verify(&none, NOW), Err(TokenError::Form));
    let (_, claims) = issuer().issue(&subject(), NOW, [1; 16]).unwrap();
    let sign = |header: &Header, claims: &Value| {
        jsonwebtoken::encode(header, claims, &issuer().key).unwrap()
    };
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(issuer().public.kid().0);
    let claims = serde_json::to_value(claims).unwrap();
    assert_eq!(
        verifier.verify(&sign(&header, &claims), NOW),
        Err(TokenError::Form),
        "typ JWT"
    );
    header.typ = Some(TOKEN_TYP.into());
    assert!(verifier.verify(&sign(&header, &claims), NOW).is_ok());
    for missing in ["iss", "aud", "sub", "exp", "iat", "jti", "roles"] {
        let mut without = claims.clone();
        without.as_object_mut().unwrap().remove(missing);
        assert_eq!(
            verifier.verify(&sign(&header, &without), NOW),
            Err(TokenError::Form)
        );
    }
    let mut long = claims.clone();
    long["exp"] = (NOW + TOKEN_SECONDS + 1).into();
    assert_eq!(
        verifier.verify(&sign(&header, &long), NOW),
        Err(TokenError::Times)
    );
    let hmac = jsonwebtoken::encode(
        &Header::new(Algorithm::HS256),
        &claims,
        &EncodingKey::from_secret(issuer().public.as_bytes()),
    );
    assert_eq!(
        verifier.verify(&hmac.unwrap(), NOW),
        Err(TokenError::Form),
        "key confusion"
    );
    assert_eq!(
        verifier.verify(&"a".repeat(5_000), NOW),
        Err(TokenError::TooLong(5_000))
    );
}

#[test]
fn jwks_names_the_key_that_verifies() {
    let jwks: jsonwebtoken::jwk::JwkSet = serde_json::from_value(issuer().jwks()).unwrap();
    let jwk = jwks.find(&issuer().public.kid().0).unwrap();
    let key = DecodingKey::from_jwk(jwk).unwrap();
    let (token, claims) = issuer().issue(&subject(), NOW, [1; 16]).unwrap();
    let read = jsonwebtoken::decode::<Claims>(&token, &key, &issuer().verifier().validation);
    assert_eq!(read.unwrap().claims, claims);
}
