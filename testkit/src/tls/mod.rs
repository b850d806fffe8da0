//! Certificates and TLS.

mod authority;
mod certificate;
mod folder;
mod server;

pub use authority::Authority;
pub(crate) use certificate::thumbprint;
pub use certificate::{Certificate, ClientCertificate};
pub(crate) use folder::Folder;
pub use server::ServerCertificate;
pub(crate) use server::Tls;
