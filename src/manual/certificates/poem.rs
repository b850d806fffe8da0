use monocloud_backend::{certificate::ServerTls, poem::TlsListener};
use poem::{Route, Server, listener::TcpListener};

async fn serve(app: Route) -> std::io::Result<()> {
    let tls = ServerTls::new("api.pem", "api-key.pem");
    Server::new(TlsListener::new(TcpListener::bind("0.0.0.0:8443"), tls)).run(app).await
}
