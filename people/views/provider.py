"""Signing in through the company's identity provider (OpenID Connect, code flow with PKCE, state and nonce).

What django-allauth leaves out is added here: the nonce, the signature of the id token whatever way it came, the issuer
of the discovery document, and the subject of the user information (OpenID Connect Core 1.0, 3.1.3.7 and 5.3.2).
"""

import logging
import secrets
from typing import Any

import jwt
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from requests import RequestException

from people.adapters import PROVIDER_FAILED, refused
from people.policy import public
from people.views.sign_in import asked_target

logger = logging.getLogger(__name__)
# Signatures by a private key only: one by the client's secret, or none, is refused (RFC 8725, 3.1).
ALGORITHMS = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
TROUBLE = (RequestException, OAuth2Error, ValidationError, ValueError, KeyError, TypeError, jwt.PyJWTError)


class Company(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """The provider as configured."""

    nonce = ""

    @property
    def openid_config(self) -> dict[str, Any]:
        """What the provider says of itself; it has to be the issuer that is configured (Discovery 1.0, 4.3)."""
        found: dict[str, Any] = super().openid_config
        if settings.OIDC is None or str(found["issuer"]).rstrip("/") != settings.OIDC.issuer:
            raise OAuth2Error(f"the provider calls itself {found['issuer']!r}")
        return found

    def _decode_id_token(self, app: Any, id_token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(id_token)
        if header.get("alg") not in ALGORITHMS:
            raise OAuth2Error("the id token is not signed by a private key")
        claims: dict[str, Any] = jwt.decode(
            id_token,
            key=self._key(header.get("kid")),
            algorithms=[header["alg"]],
            issuer=self.openid_config["issuer"],
            audience=app.client_id,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
        if not self.nonce or not secrets.compare_digest(str(claims.get("nonce", "")), self.nonce):
            raise OAuth2Error("the id token has another nonce: it was made for another sign-in")
        return claims

    def _key(self, kid: str | None) -> Any:
        """The provider's key of this id; a token may leave the id out where there is one key (Core 1.0, 10.1)."""
        with get_adapter().get_requests_session() as asking:
            answer = asking.get(self.openid_config["jwks_uri"])
            answer.raise_for_status()
        known = jwt.PyJWKSet.from_dict(answer.json()).keys
        fitting = [one for one in known if kid in {None, one.key_id} and one.public_key_use in {None, "sig"}]
        if len(fitting) != 1:
            raise OAuth2Error(f"{len(fitting)} keys of the provider fit the id token")
        return fitting[0].key

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> Any:
        """Who it is. Of what the provider says, the subject id is kept and nothing else."""
        id_token = kwargs["response"].get("id_token")
        if not id_token:
            raise OAuth2Error("there is no id token")
        claims = self._decode_id_token(app, id_token)
        if "userinfo_endpoint" in self.openid_config:
            said = self._fetch_user_info(token.token)
            if said.get("sub") != claims["sub"]:
                raise OAuth2Error("the user information is of another subject than the id token")
            claims = {**said, **claims}
        login = self.get_provider().sociallogin_from_response(request, {"id_token": claims})
        request.provider_claims = claims  # type: ignore[attr-defined]
        login.account.extra_data = {}
        return login


class Callback(OAuth2CallbackView):  # type: ignore[misc]
    """The way back. The nonce comes from the state that this session began with."""

    def _get_state(self, request: HttpRequest, provider: Any) -> Any:
        state, answer = super()._get_state(request, provider)
        if state:
            self.adapter.nonce = (state.get("data") or {}).get("nonce", "")
        return state, answer


@public("who comes through the identity provider is not signed in yet")
@never_cache
def sign_in_by_provider(request: HttpRequest) -> HttpResponse:
    """Off to the identity provider. A link rather than a form: the strict policy lets no form lead to another site."""
    if not settings.OIDC:
        raise Http404("No identity provider is configured.")
    nonce = secrets.token_urlsafe(24)
    wanted = {"nonce": nonce, **({"prompt": "login"} if request.GET.get("again") else {})}
    try:
        provider = get_adapter().get_provider(request, provider=settings.OIDC_PROVIDER_ID)
        provider.oauth2_adapter_class = Company
        answer: HttpResponse = provider.redirect(
            request,
            process="login",
            next_url=asked_target(request),
            data={"nonce": nonce},
            auth_params={**provider.get_auth_params(), **wanted},
        )
    except TROUBLE as trouble:
        return _failed(request, trouble)
    return answer


@public("the identity provider leads back here")
@never_cache
def back_from_provider(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Back from the identity provider, with who it is."""
    if not settings.OIDC:
        raise Http404("No identity provider is configured.")
    try:
        answer: HttpResponse = Callback.adapter_view(Company(request, settings.OIDC_PROVIDER_ID))(request)
    except TROUBLE as trouble:
        return _failed(request, trouble)
    return answer


def _failed(request: HttpRequest, trouble: Exception) -> HttpResponse:
    """What kind of trouble is for the log of the process, not what the provider answered: that may hold a token."""
    logger.warning("identity provider: %s", type(trouble).__name__)
    logger.debug("identity provider: %s", trouble)
    return refused(request, PROVIDER_FAILED)
