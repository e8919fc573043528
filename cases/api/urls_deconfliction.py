"""The addresses of deconfliction, under /api/v1/."""

from django.urls import URLPattern, path

from cases.api import deconfliction

urlpatterns: list[URLPattern] = [
    path("cases/<str:ref>/deconfliction/", deconfliction.Questions.as_view(), name="case-deconfliction"),
    path("cases/<str:ref>/deconfliction/told/", deconfliction.ToldToCase.as_view(), name="case-deconfliction-told"),
    path(
        "cases/<str:ref>/deconfliction/told/<uuid:approach_id>/reply/",
        deconfliction.GiveReply.as_view(),
        name="case-deconfliction-reply",
    ),
    path("deconfliction/", deconfliction.Desk.as_view(), name="desk"),
    path("deconfliction/<uuid:question_id>/", deconfliction.DeskQuestion.as_view(), name="desk-question"),
    path("deconfliction/<uuid:question_id>/answer/", deconfliction.AnswerQuestion.as_view(), name="desk-answer"),
    path(
        "deconfliction/<uuid:question_id>/matches/<uuid:match_id>/ask/",
        deconfliction.ApproachOther.as_view(),
        name="desk-approach",
    ),
    path("brokers/", deconfliction.Brokers.as_view(), name="brokers"),
    path("brokers/<uuid:term_id>/end/", deconfliction.EndTerm.as_view(), name="broker-end"),
]
