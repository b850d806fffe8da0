//! What can be asked for and is not built yet. To build a thing is to delete its line.

use super::{Key, settings::Settings};

/// Refuses, in a configuration that is right otherwise, what this version would have to ignore.
pub(super) fn refuse(settings: &mut Settings) {
    let asked = [(settings.is_set(Key::Resource), Key::Resource, "resource metadata")];
    for (_, key, what) in asked.into_iter().filter(|&(asked, ..)| asked) {
        let message = format!("this version does not support {what} yet; remove it");
        settings.refuse(key, message);
    }
}
