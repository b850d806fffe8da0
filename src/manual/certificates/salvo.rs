use monocloud_backend::certificate::ServerTls;
use salvo::prelude::*;

async fn serve(app: Router) {
    let tls = ServerTls::new("api.pem", "api-key.pem");
    let listener = TcpListener::new("0.0.0.0:8443").rustls(tls);
    Server::new(listener.bind().await).serve(app).await;
}
