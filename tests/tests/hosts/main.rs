//! What a host translates: every host the same way, and over real HTTP.

mod axum_tls;
mod hostile;
mod poem_tls;
mod salvo_tls;
