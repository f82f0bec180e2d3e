"""What a browser is told and what it must prove: cookies, origins, hosts, headers, the built interface."""

from __future__ import annotations

import shutil
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from tests.api.installation import ORIGIN, PASSWORD, Installation, Person

from liminal.api.app import create_app
from liminal.api.site import site_routes
from liminal.api.table import ENDPOINTS
from liminal.log.read import open_reader

ROOT = Path(__file__).parents[2]

HTTPS = "https://chat.example.org"


async def _login(client: httpx.AsyncClient, person: Person) -> httpx.Response:
    return await client.post("/v1/auth/login", json={"email": person.email, "password": PASSWORD})


@pytest.fixture
def public(installation: Installation) -> Installation:
    """The same installation as it is seen behind a proxy that ends TLS."""
    settings = installation.settings.model_copy(update={"public_origin": HTTPS})
    app = create_app(settings, installation.services)
    app.state.services = installation.services
    return Installation(settings, installation.services, app)


def _cookie(reply: httpx.Response) -> tuple[str, dict[str, str]]:
    jar: SimpleCookie = SimpleCookie(reply.headers["set-cookie"])
    ((name, morsel),) = jar.items()
    return name, {key.lower(): str(value) for key, value in morsel.items() if value}


async def test_over_https_the_session_is_a_host_cookie_that_scripts_cannot_read(
    public: Installation, person: Person
) -> None:
    name, attributes = _cookie(await _login(public.browser(HTTPS), person))
    assert name == "__Host-liminal"
    assert attributes["secure"] == "True"
    assert attributes["httponly"] == "True"
    assert attributes["samesite"] == "lax"
    assert attributes["path"] == "/"
    assert "domain" not in attributes


async def test_the_session_token_is_in_the_cookie_alone(person: Person) -> None:
    reply = await _login(person.installation.browser(), person)
    token = reply.cookies["liminal_session"]
    assert token not in reply.text
    others = [value for name, value in reply.headers.multi_items() if name != "set-cookie"]
    assert not any(token in value for value in others)


async def test_signing_in_over_plain_http_away_from_localhost_is_refused(
    installation: Installation, person: Person
) -> None:
    settings = installation.settings.model_copy(update={"public_origin": "http://chat.example.org"})
    app = create_app(settings, installation.services)
    app.state.services = installation.services
    reply = await _login(
        Installation(settings, installation.services, app).browser("http://chat.example.org"), person
    )
    assert reply.status_code == 403
    assert "set-cookie" not in reply.headers


async def test_no_get_endpoint_changes_anything(person: Person) -> None:
    services = person.installation.services

    async def standing() -> tuple[object, ...]:
        async with open_reader(services.settings) as reader:
            _, end = await reader.bounds()
        rows = await services.log.pool.fetchrow(
            """SELECT (SELECT count(*) FROM vault.sessions), (SELECT count(*) FROM vault.api_keys),
                      (SELECT count(*) FROM vault.token_families)"""
        )
        return end, tuple(rows)

    before = await standing()
    for endpoint in ENDPOINTS:
        if endpoint.method == "GET" and "{" not in endpoint.path:
            await person.browser.get(endpoint.path, params={"q": "x"})
    assert await standing() == before


async def test_no_reply_redirects_to_another_host(person: Person) -> None:
    for path in (
        "/v1/conversations/",
        "//evil.example/",
        "/\\evil.example",
        "/v1/auth/me/",
        "/%2f%2fevil.example",
    ):
        reply = await person.browser.get(path)
        target = reply.headers.get("location", "/")
        assert target.startswith((ORIGIN, "/")), path
        assert not target.startswith("//"), path


async def test_every_reply_names_the_type_of_its_body(installation: Installation, person: Person) -> None:
    for path in ("/v1/auth/me", "/v1/nowhere", "/v1/openapi.json", "/v1/conversations?limit=0"):
        assert (await person.browser.get(path)).headers["Content-Type"] == "application/json"
    assert (await person.browser.get("/")).headers["Content-Type"] == "text/html; charset=utf-8"


async def test_behind_a_proxy_that_speaks_http_to_us_the_cookie_is_secure_too(
    public: Installation, person: Person
) -> None:
    client = public.client("http://chat.example.org", **{"Origin": HTTPS, "X-Liminal": "1"})
    name, attributes = _cookie(await _login(client, person))
    assert (name, attributes["secure"]) == ("__Host-liminal", "True")


async def test_over_plain_http_on_localhost_the_cookie_has_its_own_name(person: Person) -> None:
    name, attributes = _cookie(await _login(person.installation.browser(), person))
    assert name == "liminal_session"
    assert "secure" not in attributes
    assert attributes["httponly"] == "True"


async def test_a_session_of_plain_http_is_none_over_https(public: Installation, person: Person) -> None:
    token = person.browser.cookies["liminal_session"]
    client = public.browser(HTTPS)
    reply = await client.get("/v1/auth/me", headers={"Cookie": f"liminal_session={token}"})
    assert reply.status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Liminal": "1"},
        {"Origin": ORIGIN},
        {"Origin": "https://evil.example", "X-Liminal": "1"},
        {"Origin": "null", "X-Liminal": "1"},
        {"Origin": "https://localhost", "X-Liminal": "1"},
        {"Origin": "http://localhost:81", "X-Liminal": "1"},
        {"Sec-Fetch-Site": "cross-site", "X-Liminal": "1"},
        {"Sec-Fetch-Site": "same-site", "X-Liminal": "1"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin", "X-Liminal": "1"},
    ],
)
async def test_a_request_that_may_come_from_another_site_changes_nothing(
    person: Person, headers: dict[str, str]
) -> None:
    client = person.installation.client(**headers)
    client.cookies.update(person.browser.cookies)
    reply = await client.post("/v1/conversations", json={"title": "forged"})
    assert reply.status_code == 403
    assert reply.json()["error"]["code"] == "cross_site_request"


@pytest.mark.parametrize("proof", [{"Origin": ORIGIN}, {"Sec-Fetch-Site": "same-origin"}])
async def test_our_own_pages_may_change_things(person: Person, proof: dict[str, str]) -> None:
    client = person.installation.client(**proof, **{"X-Liminal": "1"})
    client.cookies.update(person.browser.cookies)
    assert (await client.post("/v1/conversations", json={})).status_code == 201


async def test_another_site_cannot_sign_a_browser_in(person: Person) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        reply = await _login(person.installation.client(**headers), person)
        assert reply.status_code == 403


async def test_a_body_that_a_form_could_send_is_refused(person: Person) -> None:
    reply = await person.browser.post(
        "/v1/conversations", content=b'{"title": "x"}', headers={"Content-Type": "text/plain"}
    )
    assert reply.status_code == 415


async def test_a_host_that_is_not_ours_gets_no_answer(installation: Installation) -> None:
    for host in ("http://evil.example", "http://localhost.evil.example", "http://127.0.0.1.nip.io"):
        reply = await installation.client(host).get("/v1/status")
        assert reply.status_code == 421, host
    for host in ("http://localhost:8800", "http://127.0.0.1:8800", "http://[::1]:8800"):
        assert (await installation.client(host).get("/v1/status")).status_code == 200, host


async def test_every_reply_carries_the_security_headers_and_no_script_may_be_inline(
    installation: Installation, person: Person
) -> None:
    for path in ("/v1/auth/me", "/v1/nowhere", "/", "/v1/conversations?limit=x"):
        headers = (await person.browser.get(path)).headers
        policy = dict(
            part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";")
        )
        assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        if path == "/":
            assert policy["script-src"] == "'self'"
        else:
            assert policy["default-src"] == "'none'"
            assert "sandbox" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert (await person.browser.get("/v1/auth/me")).headers["Cache-Control"] == "no-store"


async def test_over_https_the_browser_is_told_to_stay_there(public: Installation) -> None:
    reply = await public.client(HTTPS).get("/v1/status")
    assert "max-age=31536000" in reply.headers["Strict-Transport-Security"]
    plain = await public.client().get("/v1/status")
    assert "Strict-Transport-Security" not in plain.headers


async def test_no_other_origin_may_read_our_replies(installation: Installation) -> None:
    reply = await installation.client(Origin="https://evil.example").get("/v1/status")
    assert not any(name.startswith("access-control") for name in reply.headers)


async def test_every_request_has_an_id_that_the_client_may_choose(installation: Installation) -> None:
    own = "0199f1c2-8a3b-7c4d-9e5f-0a1b2c3d4e5f"
    kept = await installation.client(**{"X-Correlation-Id": own}).get("/v1/status")
    assert kept.headers["X-Correlation-Id"] == own
    made = await installation.client(**{"X-Correlation-Id": "x\ty; DROP"}).get("/v1/status")
    assert len(made.headers["X-Correlation-Id"]) == 36


@pytest.fixture
def site(tmp_path: Path) -> httpx.AsyncClient:
    """A built interface."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>liminal</title>")
    shutil.copyfile(ROOT / "ui" / "pages.json", tmp_path / "pages.json")
    (tmp_path / "assets" / "app-4f2a91.js").write_text("export {}")
    (tmp_path.parent / "secret.txt").write_text("outside")
    app = Starlette(routes=site_routes(tmp_path))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN)


async def test_hashed_assets_are_cached_for_ever_and_pages_are_asked_for_again(
    site: httpx.AsyncClient,
) -> None:
    asset = await site.get("/assets/app-4f2a91.js")
    assert asset.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for path in ("/", "/c/0199f1c2-8a3b-7c4d-9e5f-0a1b2c3d4e5f", "/admin/log"):
        page = await site.get(path)
        assert page.status_code == 200
        assert "<title>liminal</title>" in page.text
        assert page.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/metrics", "/c", "/c/a/b", "/admin/nothing", "/settings/a/b", "/index.php5"]
)
async def test_an_address_that_is_no_page_of_the_interface_is_not_found(
    site: httpx.AsyncClient, path: str
) -> None:
    assert (await site.get(path)).status_code == 404


async def test_missing_files_api_paths_and_ways_out_of_the_folder_are_not_pages(
    site: httpx.AsyncClient,
) -> None:
    for path in (
        "/assets/gone-1.js",
        "/favicon.ico",
        "/v1/nowhere",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
    ):
        reply = await site.get(path)
        assert "outside" not in reply.text
        assert reply.status_code == 404, path


async def test_without_a_built_interface_the_page_says_which_command_builds_it(tmp_path: Path) -> None:
    app = Starlette(routes=site_routes(tmp_path / "nothing"))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN)
    reply = await client.get("/")
    assert reply.status_code == 503
    assert "make setup" in reply.text
