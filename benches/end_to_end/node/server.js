// `node server.js jose` or `node server.js fast-jwt`: the API on Fastify, protected as the
// documentation of each library shows. Prints its port.

import { createPublicKey } from "node:crypto";
import { createVerifier } from "fast-jwt";
import fastify from "fastify";
import { createRemoteJWKSet, jwtVerify } from "jose";

const issuer = process.env.MONOCLOUD_BACKEND_TENANT_DOMAIN;
const audience = process.env.MONOCLOUD_BACKEND_AUDIENCE;
const keys = process.env.JWKS_URI;

const verifiers = {
  async jose() {
    const set = createRemoteJWKSet(new URL(keys));
    return async (token) => (await jwtVerify(token, set, { issuer, audience })).payload;
  },

  // With its cache of verified tokens.
  async "fast-jwt"() {
    const set = await (await fetch(keys)).json();
    const pems = new Map();
    for (const key of set.keys) {
      const pem = createPublicKey({ key, format: "jwk" }).export({ type: "spki", format: "pem" });
      pems.set(key.kid, pem);
    }
    return createVerifier({
      key: async ({ header }) => pems.get(header.kid),
      allowedIss: issuer,
      allowedAud: audience,
      cache: 10000,
    });
  },
};

const verify = await verifiers[process.argv[2]]();
const app = fastify();

app.addHook("onRequest", async (request, reply) => {
  const [scheme, token] = (request.headers.authorization ?? "").split(" ");
  if (scheme !== "Bearer" || !token) return reply.code(401).send();
  try {
    request.claims = await verify(token);
  } catch {
    return reply.code(401).send();
  }
  if (!request.claims.scope.split(" ").includes("posts:read")) return reply.code(403).send();
});

app.get("/posts", async (request) => request.claims.sub);

await app.listen({ host: "127.0.0.1", port: 0 });
console.log(app.server.address().port);
