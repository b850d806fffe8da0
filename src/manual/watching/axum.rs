use axum::{Json, Router, http::StatusCode, routing::get};
use monocloud_backend::{health::Health, ProtectApi};

fn report(protect: &ProtectApi) -> (StatusCode, Json<Health>) {
    let report = protect.health();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report))
}

fn app(protect: ProtectApi) -> Result<Router, std::convert::Infallible> {
    Ok(Router::new().route("/ready", get(async move || report(&protect))))
}
