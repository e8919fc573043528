"""What django-allauth asks us: letting in, keeping second factors, who of the provider's people come in."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url

from people import addresses, encryption, second_factors, sessions
from people.actions import provider as provider_verbs
from people.actions.sign_in import note_sign_in
from people.models import User
from spine.errors import Refused


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Letting in: one log entry with how it was proven, a session of its own, no message, no mail."""

    def get_login_stages(self) -> list[str]:
        """Between the first proof and being in."""
        return ["allauth.mfa.stages.AuthenticateStage"]

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody makes themselves an account."""
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return addresses.address_of(request)

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> HttpResponse:
        """Reached through the identity provider only: by password, who is switched off looks like nobody."""
        return refused(request, "This account is switched off. An administrator can say why.")

    def login(self, request: HttpRequest, user: Any) -> None:
        person = User.objects.get(pk=user.pk)
        person.backend = "django.contrib.auth.backends.ModelBackend"
        how = _how(request, person)
        note_sign_in(actor=person, how=" and ".join(how))
        super().login(request, person)
        if second_factors.WORDS["webauthn"] in how or second_factors.WORDS["totp"] in how:
            request.session[sessions.SECOND] = True
        sessions.note(request)
        sessions.tidy(person)

    def post_login(self, request: HttpRequest, user: Any, **hooks: Any) -> HttpResponse:
        return redirect(hooks.get("redirect_url") or resolve_url(settings.LOGIN_REDIRECT_URL))

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Our views say what happened."""

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """There is no mail."""


def _how(request: HttpRequest, person: User) -> list[str]:
    """By what this sign-in was proven, in words."""
    from allauth.account.authentication import get_authentication_records

    words = {"password": "password", "socialaccount": "identity provider"}
    records = get_authentication_records(request, person)
    return [words.get(one["method"]) or second_factors.WORDS[one["type"]] for one in records]


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Second factors: encrypted at rest, passkeys bound to one domain."""

    def encrypt(self, text: str) -> str:
        return encryption.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return encryption.decrypt(encrypted_text)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {"id": second_factors.passkey_domain(context.request), "name": "Retort"}


class ProviderAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """People of the company's identity provider, matched by their subject id and by nothing else."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """`pre_social_login` has settled who comes in."""
        return False

    def list_apps(self, request: Any, provider: Any = None, client_id: Any = None) -> list[Any]:
        """From the settings alone: no provider is ever added through the database."""
        from allauth.socialaccount.adapter import _build_apps_from_settings

        found = _build_apps_from_settings(provider=provider, client_id=client_id)
        return [app for apps in found.values() for app in apps]

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Who is not known is refused, or made an account where that is allowed."""
        if sociallogin.is_existing:
            return
        try:
            provider_verbs.admit(
                provider=sociallogin.account.provider,
                subject=sociallogin.account.uid,
                claims=getattr(request, "provider_claims", {}),
            )
        except Refused as refusal:
            raise ImmediateHttpResponse(refused(request, refusal.message)) from None
        sociallogin.lookup()

    def on_authentication_error(self, request: HttpRequest, provider: Any, **about: Any) -> None:
        raise ImmediateHttpResponse(refused(request, PROVIDER_FAILED))


PROVIDER_FAILED = (
    "The identity provider did not say who you are, or what it said was not for this sign-in. Try again from the "
    "sign-in page; if it happens again, an administrator can look into the log of the web process."
)


def refused(request: HttpRequest, sentence: str, status: int = 403) -> HttpResponse:
    """The page for who is not let in."""
    context_ = {"page_title": "Not signed in", "sentence": sentence}
    return render(request, "people/not_let_in.html", context_, status=status)
