"""The documentation page needs no other host than the service itself."""

import re

from fastapi.testclient import TestClient


def test_the_page_and_its_files_come_from_here(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200 and '"validatorUrl": null' in page.text
    assert not re.search(r"//[\w.-]+\.\w", page.text), page.text
    files = re.findall(r"""(?:src|href)="([^"]+)"|url: '([^']+)'""", page.text)
    paths = [one or other for one, other in files]
    assert {path.rsplit(".", 1)[1] for path in paths} == {"js", "css", "png", "json"}
    for path in paths:
        assert path.startswith("/") and client.get(path).status_code == 200, path
    (style,) = (path for path in paths if path.endswith(".css"))
    assert not re.search(r"""@import|url\((?!["']?data:)""", client.get(style).text)


def test_what_is_beside_the_page_is_no_route(client: TestClient) -> None:
    for path in ("/redoc", "/static-offline-docs/none.js", "/static-offline-docs/../core.py"):
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.post("/static-offline-docs/swagger-ui.css").json()["status"] == 405


def test_every_route_has_a_title_and_a_described_group(client: TestClient) -> None:
    for _ in range(2):  # the description is made once and kept
        described = client.get("/openapi.json").json()
    routes = [route for path in described["paths"].values() for route in path.values()]
    assert {tag for r in routes for tag in r["tags"]} == {t["name"] for t in described["tags"]}
    for route in routes:
        assert route["summary"] and "." not in route["summary"]
    titles = {r["summary"]: r["description"] for r in routes}
    assert titles["Read examples in pages"] == "`after` is the last id of the page before."
