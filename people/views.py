"""Sign-in and sign-out pages; each leaves its entry in the log."""

from typing import Any

from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse

from people.actions import note_sign_in, note_sign_out
from people.policy import public, signed_in


class SignIn(views.LoginView):
    """The sign-in page. An unknown name and a wrong password look the same and take the same time."""

    template_name = "registration/login.html"
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        note_sign_in(actor=form.get_user())
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(page_title="Sign in", **kwargs)


class SignOut(views.LogoutView):
    """Ends the session."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            note_sign_out(actor=request.user)
        return super().post(request, *args, **kwargs)


sign_in = public("nobody is signed in yet")(SignIn.as_view())
sign_out = signed_in(SignOut.as_view())
