//! A private authority and what it certifies, made for each test.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::Path;

/// An authority that nobody but the test trusts.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let name = "Authority of a test";
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Writes certificate and key for a name; gives the certificate's PEM.
    pub fn certify(&self, name: &str, certificate: &Path, key: &Path) -> String {
        let pair = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let signed = params.signed_by(&pair, &self.0).unwrap();
        std::fs::write(key, pair.serialize_pem()).unwrap();
        std::fs::write(certificate, signed.pem()).unwrap();
        signed.pem()
    }
}
