"""Controls a mock tenant, as a test in another language does.

python3 control.py http://127.0.0.1:4444
"""

import base64
import json
import sys
import urllib.error
import urllib.parse
import urllib.request

TENANT = sys.argv[1]


def send(method, path, body=None, headers=None):
    """Returns the status and the JSON of a response."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(TENANT + path, data, headers, method=method)
    # The environment may have a proxy, which the tenant is not behind.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def control(method, path, body=None):
    status, answer = send(method, "/_control/" + path, body)
    assert status == 200, (path, status, answer)
    return answer


def mint(**order):
    return control("POST", "tokens", order)["token"]


def part(token, place):
    text = token.split(".")[place]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def keys():
    _, document = send("GET", "/.well-known/openid-configuration/jwks")
    return {key["kid"] for key in document["keys"]}


def introspect(token):
    form = {"token": token, "client_id": "service", "client_secret": "secret"}
    url = TENANT + "/connect/introspect"
    request = urllib.request.Request(url, urllib.parse.urlencode(form).encode())
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as response:
        return json.load(response)


def test_mint():
    claims = part(mint(user="admin", scope="posts:read", claim={"plan": "pro"}), 1)
    assert claims["sub"] == "admin" and claims["groups"] == ["admin"], claims
    assert claims["scope"] == "posts:read" and claims["plan"] == "pro", claims
    assert part(mint(hostile="none-unsigned"), 0)["alg"] == "none"
    status, answer = send("POST", "/_control/tokens", {"user": "eve"})
    assert status == 400 and answer["valid"] == ["alice", "admin"], answer


def test_keys():
    old = part(mint(), 0)["kid"]
    control("POST", "keys/rotate")
    new = part(mint(), 0)["kid"]
    assert new != old and {old, new} <= keys()
    control("POST", "keys/withdraw")
    assert new in keys() and old not in keys()


def test_faults():
    fault = {"endpoint": "jwks", "fault": "status", "status": 503}
    control("POST", "faults", {**fault, "times": 1})
    path = "/.well-known/openid-configuration/jwks"
    assert [send("GET", path)[0] for _ in range(2)] == [503, 200]
    control("POST", "faults", fault)
    control("DELETE", "faults")
    assert send("GET", path)[0] == 200


def test_clock():
    before = control("POST", "clock", {"freeze": True})["now"]
    after = control("POST", "clock", {"advance": 3600})
    assert after == {"now": before + 3600, "frozen": True}, after
    assert part(mint(), 1)["iat"] == before + 3600


def test_revoke():
    token = mint(user="alice", opaque=True)
    assert introspect(token)["sub"] == "alice"
    control("POST", "revoke", {"token": token})
    assert introspect(token) == {"active": False}


def test_log():
    token = mint(opaque=True)
    introspect(token)
    log = control("GET", "requests")
    last = log[-1]
    assert last["method"] == "POST" and last["path"] == "/connect/introspect", last
    assert last["endpoint"] == "introspection" and last["status"] == 200, last
    assert last["client_id"] == "service", last
    assert token not in json.dumps(log) and "secret" not in json.dumps(log)


def test_reset():
    token = mint(opaque=True)
    control("POST", "clock", {"freeze": True, "advance": 86400})
    control("POST", "faults", {"endpoint": "jwks", "fault": "reset"})
    control("POST", "reset")
    assert control("GET", "requests") == []
    assert control("POST", "clock")["frozen"] is False
    assert introspect(token) == {"active": False}
    assert keys()


def test_other_origins():
    evil = {"Origin": "https://evil.example.com"}
    assert send("POST", "/_control/tokens", {}, evil)[0] == 403
    assert send("POST", "/_control/tokens", {}, {"Content-Type": "text/plain"})[0] == 415


tests = [test for name, test in list(globals().items()) if name.startswith("test_")]
for test in tests:
    test()
    print("passed:", test.__name__)
print(len(tests), "passed")
