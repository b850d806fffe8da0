use monocloud_backend::{health::Health, ProtectApi};
use poem::{
    Endpoint, EndpointExt, Route, get, handler,
    http::StatusCode,
    web::{Data, Json},
};

#[handler]
fn ready(protect: Data<&ProtectApi>) -> (StatusCode, Json<Health>) {
    let report = protect.health();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report))
}

fn app(protect: ProtectApi) -> Result<impl Endpoint, std::convert::Infallible> {
    Ok(Route::new().at("/ready", get(ready.data(protect))))
}
