"""Sign-in and sign-out pages; each leaves its entry in the log."""

from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from people.actions import note_sign_in, note_sign_out
from people.policy import public, signed_in


class SignIn(views.LoginView):
    """The sign-in page. An unknown name and a wrong password look the same and take the same time."""

    template_name = "registration/login.html"
    redirect_authenticated_user = True

    def get_success_url(self) -> str:
        """Where one wanted to go, if it is here; never to the doors themselves, which would lead back at once."""
        target: str = super().get_success_url()
        doors = {reverse("sign_in"), reverse("sign_out")}
        return self.get_default_redirect_url() if urlsplit(target).path in doors else target

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        note_sign_in(actor=form.get_user())
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(page_title="Sign in", **kwargs)


class SignOut(views.LogoutView):
    """Ends the session. Who merely opens its address, after a sign-in in between say, is led to the pages."""

    http_method_names = ["get", "post", "options"]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect("queue")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            note_sign_out(actor=request.user)
        return super().post(request, *args, **kwargs)


sign_in = public("nobody is signed in yet")(SignIn.as_view())
sign_out = signed_in(SignOut.as_view())
