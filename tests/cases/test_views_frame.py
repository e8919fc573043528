"""The frame and the pages that say no: colours, navigation by role, 400, 403, 404, 500, expired forms."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from cases import sample_texts
from config import urls
from detection.models import TelemetrySource
from people.policy import public
from tests.cases.pages import client_of, text_of
from tests.factories import Cast, make_lead

pytestmark = pytest.mark.django_db


@public("fails on purpose")
def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose")


urlpatterns = [*urls.urlpatterns, path("broken/", broken), path("api/v1x/", broken)]
handler400, handler500 = urls.handler400, urls.handler500


def test_colours_are_kept_in_a_cookie_and_lead_back(cast: Cast) -> None:
    client = client_of(cast.reader)
    response = client.post("/colours/", {"scheme": "dark", "next": "/cases/?q=a"})
    assert (response["Location"], client.cookies["retort_scheme"].value) == ("/cases/?q=a", "dark")
    assert 'data-scheme="dark"' in text_of(client.get("/cases/"))


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
def test_colours_lead_nowhere_else(cast: Cast, target: str) -> None:
    client = client_of(cast.reader)
    response = client.post("/colours/", {"scheme": "odd", "next": target})
    assert (response["Location"], "retort_scheme" in client.cookies) == ("/", False)


def test_navigation_offers_what_the_role_may_open(cast: Cast) -> None:
    def offered(client: Client) -> set[str]:
        page = text_of(client.get("/nothing/"))
        return {name for name in ("queue", "cases", "log") if f'data-go="{name[0]}"' in page}

    assert offered(client_of(cast.reader)) == {"queue", "cases", "log"}
    assert offered(client_of(cast.admin)) == {"log"}
    assert offered(Client()) == set()


def test_sample_data_is_told_from_real_data(cast: Cast) -> None:
    client = client_of(cast.reader)
    assert "Sample data." not in text_of(client.get("/cases/"))
    TelemetrySource.objects.create(name=sample_texts.SOURCE)
    assert "<strong>Sample data.</strong> Everything here was made from word lists" in text_of(client.get("/cases/"))
    TelemetrySource.objects.create(name="our-own")
    page = text_of(client.get("/cases/"))
    assert (f"The source “{sample_texts.SOURCE}”" in page, "Everything here" in page) == (True, False)


def test_what_a_role_may_not_open_says_why(cast: Cast) -> None:
    response = client_of(cast.admin).get("/cases/")
    assert (response.status_code, response.templates[0].name) == (403, "403.html")
    assert "Your role does not let you read cases and everything under them." in text_of(response)


def test_what_is_not_there_is_a_page_of_ours_for_strangers_too(cast: Cast) -> None:
    for client in (Client(), client_of(cast.reader)):
        response = client.get("/nothing/")
        assert (response.status_code, response.templates[0].name) == (404, "404.html")


def test_a_form_without_its_token_changes_nothing(cast: Cast) -> None:
    lead = make_lead(2)
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.analyst)
    response = client.post(f"/leads/{lead.pk}/reject/", {"reason": "evaluation", "cluster": lead.cluster_id})
    lead.refresh_from_db()
    assert (response.status_code, "This form has expired" in text_of(response), lead.state) == (403, True, "waiting")


def test_what_cannot_be_read_is_a_page_that_stands_alone(cast: Cast, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 3
    response = client_of(cast.analyst).post("/colours/", {f"f{n}": "1" for n in range(9)})
    assert (response.status_code, "That could not be read" in text_of(response)) == (400, True)
    assert response["X-Request-Id"] in text_of(response)


@pytest.mark.urls("tests.cases.test_views_frame")
def test_a_mistake_of_ours_names_the_request_and_no_secret() -> None:
    client = Client(raise_request_exception=False)
    response = client.get("/broken/")
    page = text_of(response)
    assert (response.status_code, "Something failed on our side" in page) == (500, True)
    assert (response["X-Request-Id"] in page, "on purpose" in page) == (True, False)
    answer = client.get("/api/v1x/")
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")


def test_pages_allow_no_inline_script_or_style(cast: Cast) -> None:
    policy = client_of(cast.reader).get("/cases/")["Content-Security-Policy"]
    assert "script-src 'self'" in policy and "style-src 'self'" in policy and "unsafe" not in policy
    chart = client_of(cast.reader).get(f"/leads/{make_lead(2).pk}/")["Content-Security-Policy"]
    assert "script-src 'self';" in chart and "style-src-attr 'unsafe-inline'" in chart
