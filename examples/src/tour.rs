//! Requests to paste, each with the answer to expect, in lines that fit a terminal.
//!
//! Tokens are several lines long, so they are variables in a file for the shell to load.

use std::io::{self, Write as _};

use monocloud_testkit::{MockTenant, TokenBuilder};
use tempfile::{Builder, TempPath};

/// The lifetime of the tokens, in seconds.
const TOKEN_LIFETIME: i64 = 12 * 60 * 60;

const INTRODUCTION: &str = "\
NO TENANT IS CONFIGURED: THIS IS A MOCK TENANT, FOR TRYING THINGS OUT ONLY.
To use your own, set MONOCLOUD_BACKEND_TENANT_DOMAIN and
MONOCLOUD_BACKEND_AUDIENCE.
";

const POSTS: &str = r#"
200: a reader lists posts
  curl -i -H "Authorization: Bearer $READER" $API/api/posts

200: an opaque token does as well
  curl -i -H "Authorization: Bearer $OPAQUE" $API/api/posts

401: a token is missing
  curl -i $API/api/posts

403: a reader may not write
  curl -i -H "Authorization: Bearer $READER" $API/api/posts \
    -H "Content-Type: application/json" -d '{"title":"Hello"}'

201: a writer may
  curl -i -H "Authorization: Bearer $WRITER" $API/api/posts \
    -H "Content-Type: application/json" -d '{"title":"Hello"}'

200: an admin, without the scope, reads a post as a reader may
  curl -i -H "Authorization: Bearer $ADMIN" $API/api/posts/1

401: publishing needs a recent login with a second factor; with $MFA: 200
  curl -i -H "Authorization: Bearer $WRITER" -X POST $API/api/posts/1/publish

204: an admin deletes a post
  curl -i -H "Authorization: Bearer $ADMIN" -X DELETE $API/api/posts/1

200: the claims of a token
  curl -i -H "Authorization: Bearer $READER" $API/api/me

200: the caller's profile, by a token with an email
  curl -i -H "Authorization: Bearer $MEMBER" $API/api/profile

401: a reader's token has none
  curl -i -H "Authorization: Bearer $READER" $API/api/profile
"#;

/// Requests to the posts API, with every kind of token.
pub(crate) fn of_posts(tenant: &MockTenant, api: &str) -> Result<TempPath, String> {
    let token = || token_of_alice(tenant);
    let opaque = tenant.opaque_token().scope("posts:read").expires_in(TOKEN_LIFETIME);
    let variables = [
        ("API", api.to_owned()),
        ("READER", token().scope("posts:read").mint()),
        ("WRITER", token().scope("posts:read posts:write").mint()),
        ("ADMIN", token().groups(["admin"]).mint()),
        ("MFA", token().scope("posts:write").acr("urn:example:mfa").authenticated_ago(10).mint()),
        ("MEMBER", token().claim("email", "alice@example.com").mint()),
        ("OPAQUE", opaque.mint()),
    ];
    print(POSTS, &variables)
}

pub(crate) fn token_of_alice(tenant: &MockTenant) -> TokenBuilder<'_> {
    tenant.token().subject("alice").expires_in(TOKEN_LIFETIME)
}

/// Prints requests, and how to set the variables in them from a file, which is deleted when the
/// result is dropped.
pub(crate) fn print(requests: &str, variables: &[(&str, String)]) -> Result<TempPath, String> {
    let names: String = variables.iter().map(|(name, _)| format!(" ${name}")).collect();
    let path = shell_file(variables).map_err(|error| format!("cannot write tokens: {error}"))?;
    println!("{INTRODUCTION}\nSet{names}:\n  . {}\n{requests}", path.display());
    Ok(path)
}

/// A file that only this user can read.
fn shell_file(variables: &[(&str, String)]) -> io::Result<TempPath> {
    let mut file = Builder::new().prefix("tokens-").suffix(".sh").tempfile()?;
    for (name, value) in variables {
        writeln!(file, "{name}='{value}'")?;
    }
    Ok(file.into_temp_path())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{INTRODUCTION, POSTS};

    pub(crate) fn assert_fits(text: &str) {
        for line in text.lines() {
            assert!(line.len() <= 80, "longer than a line of a terminal: {line}");
        }
    }

    #[test]
    fn requests_fit_a_terminal() {
        assert_fits(INTRODUCTION);
        assert_fits(POSTS);
    }
}
