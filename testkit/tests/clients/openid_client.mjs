// openid-client, as an application uses it. `node --test`, with the tenant's issuer in ISSUER.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as oidc from "openid-client";

const ISSUER = new URL(process.env.ISSUER);
const CALLBACK = "http://127.0.0.1:51004/callback";

test("code flow with PKCE, ID token, user info, refresh", async () => {
  const web = await client("web", oidc.None());
  const tokens = await logIn(web, "openid email offline_access posts:read");
  assert.equal(tokens.token_type, "bearer");
  assert.equal(tokens.scope, "openid email offline_access posts:read");
  const { sub } = tokens.claims();
  assert.equal(sub, "alice");
  const user = await oidc.fetchUserInfo(web, tokens.access_token, sub);
  assert.equal(user.email, "alice@example.com");

  const renewed = await oidc.refreshTokenGrant(web, tokens.refresh_token);
  assert.notEqual(renewed.access_token, tokens.access_token);
  assert.notEqual(renewed.refresh_token, tokens.refresh_token);
  await refuses("invalid_grant", oidc.refreshTokenGrant(web, tokens.refresh_token));
  await refuses("invalid_grant", oidc.refreshTokenGrant(web, renewed.refresh_token));
});

test("tokens that are bound to a key (DPoP)", async () => {
  const web = await client("web", oidc.None());
  const options = { DPoP: oidc.getDPoPHandle(web, await oidc.randomDPoPKeyPair()) };
  const tokens = await logIn(web, "openid offline_access", options);
  assert.equal(tokens.token_type, "dpop");
  const user = await oidc.fetchUserInfo(web, tokens.access_token, "alice", options);
  assert.equal(user.sub, "alice");

  const other = { DPoP: oidc.getDPoPHandle(web, await oidc.randomDPoPKeyPair()) };
  await refuses("invalid_grant", oidc.refreshTokenGrant(web, tokens.refresh_token, {}, other));
  const renewed = await oidc.refreshTokenGrant(web, tokens.refresh_token, {}, options);
  assert.equal(renewed.token_type, "dpop");
  const stolen = oidc.fetchUserInfo(web, renewed.access_token, "alice", other);
  await assert.rejects(stolen, { status: 401 });
});

for (const authenticate of [oidc.ClientSecretBasic, oidc.ClientSecretPost, oidc.ClientSecretJwt]) {
  test(`client credentials, introspection and revocation by ${authenticate.name}`, async () => {
    const service = await client("service", authenticate("secret"));
    const { access_token } = await oidc.clientCredentialsGrant(service, { scope: "posts:read" });
    const introspected = await oidc.tokenIntrospection(service, access_token);
    assert.equal(introspected.active, true);
    assert.equal(introspected.scope, "posts:read");
    await oidc.tokenRevocation(service, access_token);
    assert.equal((await oidc.tokenIntrospection(service, access_token)).active, false);

    const impostor = await client("service", authenticate("guessed"));
    await assert.rejects(oidc.clientCredentialsGrant(impostor), { status: 401 });
  });
}

test("a client that registers itself with a key", async () => {
  const keys = await oidc.randomDPoPKeyPair("ES256", { extractable: true });
  const jwk = await crypto.subtle.exportKey("jwk", keys.publicKey);
  const registered = await oidc.dynamicClientRegistration(
    ISSUER,
    {
      redirect_uris: [CALLBACK],
      token_endpoint_auth_method: "private_key_jwt",
      jwks: { keys: [{ ...jwk, alg: "ES256", use: "sig" }] },
    },
    oidc.PrivateKeyJwt(keys.privateKey),
    insecure,
  );
  const tokens = await logIn(registered, "openid");
  assert.equal(tokens.claims().aud, registered.clientMetadata().client_id);
});

// The tenant serves plain HTTP.
const insecure = { execute: [oidc.allowInsecureRequests] };

function client(id, authentication) {
  return oidc.discovery(ISSUER, id, undefined, authentication, insecure);
}

// The tenant logs in alice without a page.
async function logIn(config, scope, options) {
  const verifier = oidc.randomPKCECodeVerifier();
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK,
    scope,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    nonce,
  });
  const response = await fetch(url, { redirect: "manual" });
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce };
  const callback = new URL(response.headers.get("location"));
  return oidc.authorizationCodeGrant(config, callback, checks, undefined, options);
}

function refuses(error, request) {
  return assert.rejects(request, { error });
}
