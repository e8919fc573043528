"""The addresses of deconfliction: on a case, at the brokers' desk, and the register of brokers."""

from django.urls import URLPattern, path

from cases.views import deconfliction, desk

urlpatterns: list[URLPattern] = [
    path("cases/<str:ref>/deconfliction/", deconfliction.deconflict, name="case_deconfliction"),
    path("cases/<str:ref>/deconfliction/<uuid:pk>/reply/", deconfliction.reply, name="deconfliction_reply"),
    path("deconfliction/", desk.desk, name="desk"),
    path("deconfliction/<uuid:pk>/", desk.question, name="desk_question"),
    path("deconfliction/<uuid:pk>/matches/<uuid:match>/ask/", desk.approach, name="desk_approach"),
    path("brokers/", desk.brokers, name="brokers"),
    path("brokers/<uuid:pk>/end/", desk.end_term, name="end_broker"),
]
