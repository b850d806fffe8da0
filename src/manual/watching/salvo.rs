use monocloud_backend::ProtectApi;
use salvo::prelude::*;

struct Ready(ProtectApi);

#[handler]
impl Ready {
    async fn handle(&self, res: &mut Response) {
        let report = self.0.health();
        let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        res.status_code(status).render(Json(report));
    }
}

fn app(protect: ProtectApi) -> Result<Router, std::convert::Infallible> {
    Ok(Router::with_path("ready").get(Ready(protect)))
}
