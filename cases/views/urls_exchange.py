"""The addresses of exchange sets and samples."""

from django.urls import URLPattern, path

from cases.views import exchange_sets, sampling

SET = "cases/<str:ref>/sets/<int:exhibit>/"
PLAN = f"{SET}plans/<int:plan_number>/"
urlpatterns: list[URLPattern] = [
    path("cases/<str:ref>/sets/new/", exchange_sets.new_exchange_set, name="new_exchange_set"),
    path("cases/<str:ref>/sets/make/", exchange_sets.make_exchange_set, name="make_exchange_set"),
    path(SET, exchange_sets.exchange_set, name="exchange_set"),
    path(f"{SET}rerun/", exchange_sets.rerun_exchange_set, name="rerun_exchange_set"),
    path(f"{SET}prove/", exchange_sets.prove_exchange, name="prove_exchange"),
    path(f"{SET}plans/", sampling.draw_sample, name="draw_sample"),
    path(PLAN, sampling.plan, name="sampling_plan"),
    path(f"{PLAN}<int:ordinal>/", sampling.sampled, name="sampled_exchange"),
    path(f"{PLAN}<int:ordinal>/prove/", sampling.prove_sampled, name="prove_sampled"),
    path("jobs/<uuid:pk>/stop/", sampling.stop_job, name="stop_job"),
]
