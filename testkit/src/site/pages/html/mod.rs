//! HTML pages, which need no script.

mod consent;
mod device;
mod layout;
mod login;
mod message;
mod permissions;
mod users;

pub(crate) use consent::consent;
pub(crate) use device::{device, device_confirm, device_done};
pub(crate) use layout::Page;
pub(crate) use login::login;
pub(crate) use message::{error, logged_out};
