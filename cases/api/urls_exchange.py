"""The addresses of exchange sets and samples, under /api/v1/."""

from django.urls import URLPattern, path

from cases.api import exchange_sets, sampling

SET = "cases/<str:ref>/exchange-sets/<int:exhibit>/"
PLAN = f"{SET}plans/<int:plan>/"
urlpatterns: list[URLPattern] = [
    path("cases/<str:ref>/exchange-sets/", exchange_sets.ExchangeSets.as_view(), name="exchange-sets"),
    path(SET, exchange_sets.OneExchangeSet.as_view(), name="exchange-set"),
    path(f"{SET}rerun/", exchange_sets.RerunExchangeSet.as_view(), name="exchange-set-rerun"),
    path(f"{SET}reruns/<uuid:rerun_id>/", exchange_sets.RerunReport.as_view(), name="exchange-set-report"),
    path(f"{SET}proof/", exchange_sets.ExchangeProof.as_view(), name="exchange-set-proof"),
    path(f"{SET}plans/", sampling.Plans.as_view(), name="sampling-plans"),
    path(PLAN, sampling.OnePlan.as_view(), name="sampling-plan"),
    path(f"{PLAN}sample/<int:ordinal>/results/", sampling.JudgeSampled.as_view(), name="sampling-result"),
    path("jobs/<uuid:job_id>/stop/", exchange_sets.StopSourceJob.as_view(), name="job-stop"),
    path("cases/<str:ref>/jobs/<uuid:job_id>/stop/", exchange_sets.StopJob.as_view(), name="case-job-stop"),
]
