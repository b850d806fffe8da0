//! Logging in on the page at `/docs`, in Chromium.

mod driver;

use std::{future::Future, time::Duration};

use fantoccini::{Client, Locator, elements::Element, error::CmdError, wd::WindowHandle};
use tokio::time::sleep;

use self::driver::Driver;
use crate::served::{self, Serve};

type BrowserResult<T> = Result<T, CmdError>;

/// How often the browser is asked for one step, and the pause between: half a minute.
const ATTEMPTS: usize = 1500;
const PAUSE: Duration = Duration::from_millis(20);

#[tokio::test]
async fn alice_logs_in_on_the_page_of_the_axum_example() {
    assert_alice_logs_in(served::axum).await;
}

#[tokio::test]
async fn alice_logs_in_on_the_page_of_the_poem_example() {
    assert_alice_logs_in(served::poem).await;
}

#[tokio::test]
async fn alice_logs_in_on_the_page_of_the_poem_openapi_example() {
    assert_alice_logs_in(served::poem_openapi).await;
}

#[tokio::test]
async fn alice_logs_in_on_the_page_of_the_salvo_example() {
    assert_alice_logs_in(served::salvo).await;
}

async fn assert_alice_logs_in(serve: Serve) {
    let Some(driver) = Driver::start() else { return };
    let (protect, _tenant) = quickstart::with_mock_tenant().await.unwrap();
    let api = serve(protect);
    log_in_and_execute(&driver.browser().await, &api).await.unwrap();
}

async fn log_in_and_execute(browser: &Client, api: &str) -> BrowserResult<()> {
    browser.goto(&format!("{api}/docs")).await?;
    let page = browser.window().await?;
    open_me(browser).await?;
    execute(browser, "401").await?;

    click(browser, "button.authorize.unlocked").await?;
    let client_id = find(browser, "#client_id_authorizationCode").await?;
    assert_eq!(client_id.prop("value").await?.as_deref(), Some("web"), "the client is preset");
    click(browser, ".modal-ux label[for^='posts:read-']").await?;
    click(browser, ".modal-ux button.authorize").await?;

    let login = popup(browser, &page).await?;
    browser.switch_to_window(login).await?;
    click(browser, "button[value='alice']").await?;
    let allow = find(browser, "button[value='allow']").await?;
    let consent = find(browser, "main").await?.text().await?;
    assert!(consent.contains("posts:read"), "{consent}");
    // The window may be closed before the driver has answered.
    let _ = allow.click().await;

    browser.switch_to_window(page).await?;
    find(browser, ".modal-ux button[aria-label='Remove authorization']").await?;
    click(browser, ".modal-ux button.btn-done").await?;
    let claims = execute(browser, "200").await?;
    for claim in [r#""sub": "alice""#, r#""client_id": "web""#, r#""posts:read""#] {
        assert!(claims.contains(claim), "{claim}: {claims}");
    }
    Ok(())
}

/// Opens `GET /api/me`, which is then the only open operation.
async fn open_me(browser: &Client) -> BrowserResult<()> {
    click(browser, "[data-path='/api/me']").await?;
    click(browser, "button.try-out__btn").await
}

/// Sends the request, waits for a response with this status, and returns its text.
async fn execute(browser: &Client, status: &str) -> BrowserResult<String> {
    click(browser, "button.execute").await?;
    let response = format!(
        "//*[contains(@class, 'live-responses-table')]\
         //tr[td[contains(@class, 'response-col_status') and starts-with(., '{status}')]]"
    );
    eventually(|| async { browser.find(Locator::XPath(&response)).await?.text().await }).await
}

/// The other window, once it is open.
async fn popup(browser: &Client, page: &WindowHandle) -> BrowserResult<WindowHandle> {
    eventually(|| async {
        let windows = browser.windows().await?;
        let popup = windows.into_iter().find(|window| window != page);
        popup.ok_or(CmdError::WaitTimeout)
    })
    .await
}

async fn click(browser: &Client, css: &str) -> BrowserResult<()> {
    eventually(|| async { browser.find(Locator::Css(css)).await?.click().await }).await
}

async fn find(browser: &Client, css: &str) -> BrowserResult<Element> {
    eventually(|| browser.find(Locator::Css(css))).await
}

/// Tries again until the browser can do it: pages load, and elements move.
async fn eventually<T, F>(mut attempt: impl FnMut() -> F) -> BrowserResult<T>
where
    F: Future<Output = BrowserResult<T>>,
{
    for _ in 1..ATTEMPTS {
        if let Ok(result) = attempt().await {
            return Ok(result);
        }
        sleep(PAUSE).await;
    }
    attempt().await
}
