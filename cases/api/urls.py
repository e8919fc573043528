"""The addresses of judging, under /api/v1/."""

from django.urls import path

from cases.api import (
    access,
    accounts,
    cases,
    claims,
    dossiers,
    evidence,
    findings,
    jobs,
    leads,
    log,
    timeline,
    uploads,
    verdicts,
)
from cases.api.urls_counsel import urlpatterns as counsel_addresses

app_name = "cases-api"
urlpatterns = [
    path("leads/", leads.Leads.as_view(), name="leads"),
    path("leads/<uuid:lead_id>/", leads.OneLead.as_view(), name="lead"),
    path("leads/<uuid:lead_id>/open/", leads.OpenCase.as_view(), name="lead-open"),
    path("leads/<uuid:lead_id>/join/", leads.JoinCase.as_view(), name="lead-join"),
    path("leads/<uuid:lead_id>/reject/", leads.RejectLead.as_view(), name="lead-reject"),
    path("leads/<uuid:lead_id>/reopen/", leads.ReopenLead.as_view(), name="lead-reopen"),
    path("leads/<uuid:lead_id>/assign/", leads.AssignLead.as_view(), name="lead-assign"),
    path("cases/", cases.Cases.as_view(), name="cases"),
    path("cases/<str:ref>/", cases.OneCase.as_view(), name="case"),
    path("cases/<str:ref>/move/", cases.MoveCase.as_view(), name="case-move"),
    path("cases/<str:ref>/assign/", cases.AssignCase.as_view(), name="case-assign"),
    path("cases/<str:ref>/accounts/", accounts.Accounts.as_view(), name="case-accounts"),
    path("cases/<str:ref>/verdicts/", verdicts.Verdicts.as_view(), name="case-verdicts"),
    path("cases/<str:ref>/verdicts/bulk/", verdicts.BulkVerdicts.as_view(), name="case-verdicts-bulk"),
    path(
        "cases/<str:ref>/verdicts/bulk/<uuid:job_id>/undo/",
        verdicts.UndoBulkVerdicts.as_view(),
        name="case-verdicts-undo",
    ),
    path("cases/<str:ref>/findings/", findings.Findings.as_view(), name="case-findings"),
    path("cases/<str:ref>/claims/", claims.Claims.as_view(), name="case-claims"),
    path("cases/<str:ref>/alternatives/", claims.Alternatives.as_view(), name="case-alternatives"),
    path("cases/<str:ref>/timeline/", timeline.Timeline.as_view(), name="case-timeline"),
    path(
        "cases/<str:ref>/timeline/<uuid:note_id>/withdraw/",
        timeline.WithdrawNote.as_view(),
        name="case-timeline-withdraw",
    ),
    path("cases/<str:ref>/evidence/", evidence.Evidence.as_view(), name="case-evidence"),
    path("cases/<str:ref>/evidence/<int:number>/", evidence.OneExhibit.as_view(), name="case-exhibit"),
    path(
        "cases/<str:ref>/evidence/<int:number>/content/", evidence.ExhibitContent.as_view(), name="case-exhibit-content"
    ),
    path("cases/<str:ref>/access/", access.Access.as_view(), name="case-access"),
    path("cases/<str:ref>/access/restrict/", access.Restrict.as_view(), name="case-restrict"),
    path("cases/<str:ref>/access/open-up/", access.OpenUp.as_view(), name="case-open-up"),
    path("cases/<str:ref>/access/members/", access.Members.as_view(), name="case-members"),
    path("cases/<str:ref>/access/members/remove/", access.RemoveMember.as_view(), name="case-member-remove"),
    path("break-glass/", access.BreakGlass.as_view(), name="break-glass"),
    path("notices/", access.Notices.as_view(), name="notices"),
    path("notices/<uuid:notice_id>/seen/", access.SeeNotice.as_view(), name="notice-seen"),
    path("cases/<str:ref>/uploads/", uploads.Uploads.as_view(), name="case-uploads"),
    path("cases/<str:ref>/uploads/<uuid:upload_id>/", uploads.OneUpload.as_view(), name="case-upload"),
    path(
        "cases/<str:ref>/uploads/<uuid:upload_id>/complete/",
        uploads.CompleteUpload.as_view(),
        name="case-upload-complete",
    ),
    path("cases/<str:ref>/dossiers/", dossiers.Dossiers.as_view(), name="case-dossiers"),
    path("cases/<str:ref>/log/", log.CaseLog.as_view(), name="case-log"),
    *counsel_addresses,
    path("dossiers/<uuid:version_id>/", dossiers.OneDossier.as_view(), name="dossier"),
    path("dossiers/<uuid:version_id>/approve/", dossiers.ApproveDossier.as_view(), name="dossier-approve"),
    path("dossiers/<uuid:version_id>/render/", dossiers.RenderDossier.as_view(), name="dossier-render"),
    path("dossiers/<uuid:version_id>/download/", dossiers.DownloadDossier.as_view(), name="dossier-download"),
    path("jobs/<uuid:job_id>/", jobs.OneJob.as_view(), name="job"),
    path("log/", log.Log.as_view(), name="log"),
]
