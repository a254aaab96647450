//! TLS with the authorities that the operator named, and no others.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::{
    files::{Content, FileError, Kept, Source},
    limits,
    place::Origin,
};

/// The client side of TLS with an origin, made anew when a file of it changes.
pub(crate) fn client(origin: &Origin) -> Kept<Arc<ClientConfig>> {
    let mut sources = vec![Source::new("ca_file", &origin.ca_file, limits::CERTIFICATE_FILE_BYTES)];
    if let Some(client) = &origin.client {
        let (certificate, key) = (&client.certificate, &client.key);
        sources.push(Source::new(
            "client_certificate_file",
            certificate,
            limits::CERTIFICATE_FILE_BYTES,
        ));
        sources.push(Source::new("client_key_file", key, limits::KEY_FILE_BYTES));
    }
    Kept::new(sources, configure)
}

fn configure(contents: &[Content<'_>]) -> Result<Arc<ClientConfig>, FileError> {
    let tls = |source| FileError::Tls { source };
    let mut roots = RootCertStore::empty();
    if let Some(authorities) = contents.first() {
        trust(authorities, &mut roots)?;
    }
    // Named here, so that nothing depends on who installed which provider for the process.
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .with_root_certificates(roots);
    let mut config = match contents {
        [_, certificate, key] => builder
            .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
            .map_err(tls)?,
        _ => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A resumed session skips the certificate; we want to see it each time.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn trust(authorities: &Content<'_>, roots: &mut RootCertStore) -> Result<(), FileError> {
    for certificate in certificates(authorities)? {
        roots
            .add(certificate)
            .map_err(|_| authorities.wrong("has a certificate that cannot be an authority"))?;
    }
    Ok(())
}

/// The library's own errors quote the file, so none of them is passed on.
fn certificates(content: &Content<'_>) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let certificates = CertificateDer::pem_slice_iter(&content.bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| content.wrong("is not well-formed PEM"))?;
    if certificates.is_empty() {
        return Err(content.wrong("has no certificate in PEM form"));
    }
    Ok(certificates)
}

fn private_key(content: &Content<'_>) -> Result<PrivateKeyDer<'static>, FileError> {
    PrivateKeyDer::from_pem_slice(&content.bytes)
        .map_err(|_| content.wrong("has no private key in PEM form"))
}
