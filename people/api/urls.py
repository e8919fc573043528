"""The addresses of people and keys, under /api/v1/."""

from django.urls import path

from people.api import keys, mail, people

app_name = "people-api"
urlpatterns = [
    path("people/", people.People.as_view(), name="people"),
    path("people/me/", people.Me.as_view(), name="me"),
    path("people/me/mail/", mail.OwnMail.as_view(), name="own-mail"),
    path("people/me/mail/confirm/", mail.ConfirmMail.as_view(), name="confirm-mail"),
    path("people/<uuid:person_id>/", people.OnePerson.as_view(), name="person"),
    path("people/<uuid:person_id>/one-time-password/", people.OneTimePassword.as_view(), name="one-time-password"),
    path("people/<uuid:person_id>/second-factor/reset/", people.ResetSecondFactor.as_view(), name="reset"),
    path("people/<uuid:person_id>/mail/", mail.PersonMail.as_view(), name="mail"),
    path("people/<uuid:person_id>/sessions/", people.PersonSessions.as_view(), name="sessions"),
    path("tokens/", keys.Tokens.as_view(), name="tokens"),
    path("tokens/<uuid:token_id>/", keys.OneToken.as_view(), name="token"),
    path("detector-keys/", keys.DetectorKeys.as_view(), name="detector-keys"),
    path("detector-keys/<uuid:key_id>/", keys.OneDetectorKey.as_view(), name="detector-key"),
    path("detector-keys/<uuid:key_id>/replace/", keys.ReplaceDetectorKey.as_view(), name="replace-detector-key"),
]
