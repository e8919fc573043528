"""The addresses of signing in, of one's own page, and of administering people.

Names in small letters with `account_`, `mfa_` and `openid_connect_` are the ones django-allauth looks for.
"""

from django.conf import settings
from django.urls import path

from people.views import administration, own, own_mail, own_second_factor, provider, sign_in

urlpatterns = [
    path("sign-in/", sign_in.sign_in, name="sign_in"),
    path("sign-in/", sign_in.sign_in, name="account_login"),
    path("sign-in/second-factor/", sign_in.second_factor, name="second_factor"),
    path("sign-in/second-factor/", sign_in.second_factor, name="mfa_authenticate"),
    path("sign-in/passkey/", sign_in.passkey, name="sign_in_by_passkey"),
    path("sign-in/company/", provider.sign_in_by_provider, name="sign_in_by_provider"),
    path(
        "sign-in/company/callback/",
        provider.back_from_provider,
        {"provider_id": settings.OIDC_PROVIDER_ID},
        name="openid_connect_callback",
    ),
    path("sign-out/", sign_in.sign_out, name="sign_out"),
    path("confirm/", own.confirm, name="confirm"),
    path("me/", own.me, name="me"),
    path("me/password/", own.password, name="own_password"),
    path("me/second-factor/", own_second_factor.choose, name="own_second_factor"),
    path("me/second-factor/app/", own_second_factor.add_app, name="add_app"),
    path("me/second-factor/passkey/", own_second_factor.add_passkey, name="add_passkey"),
    path("me/second-factor/remove/", own_second_factor.remove_factor, name="remove_factor"),
    path("me/second-factor/recovery-codes/", own_second_factor.recovery_codes, name="recovery_codes"),
    path("me/mail/", own_mail.mail, name="own_mail"),
    path("me/sessions/end/", own.end_sessions, name="end_own_sessions"),
    path("me/tokens/", own.make_token, name="make_token"),
    path("me/tokens/<uuid:pk>/revoke/", own.revoke_token, name="revoke_token"),
    path("people/", administration.people, name="people"),
    path("people/roles/", administration.roles, name="roles"),
    path("people/<uuid:pk>/", administration.person, name="person"),
    path("people/<uuid:pk>/role/", administration.set_role, name="set_role"),
    path("people/<uuid:pk>/name/", administration.rename, name="rename_person"),
    path("people/<uuid:pk>/identity/", administration.link, name="link_person"),
    path("people/<uuid:pk>/disable/", administration.disable, name="disable_person"),
    path("people/<uuid:pk>/enable/", administration.enable, name="enable_person"),
    path("people/<uuid:pk>/one-time-password/", administration.one_time_password, name="one_time_password"),
    path("people/<uuid:pk>/second-factor/reset/", administration.reset_second_factor, name="reset_second_factor"),
    path("people/<uuid:pk>/mail/clear/", administration.clear_mail, name="clear_mail_of"),
    path("people/<uuid:pk>/sessions/end/", administration.end_sessions, name="end_sessions_of"),
    path("people/<uuid:pk>/tokens/<uuid:token_id>/revoke/", administration.revoke_token_of, name="revoke_token_of"),
]
