"""The addresses of case and dossier pages."""

from django.urls import URLPattern, path

from cases.views import (
    access,
    account_lists,
    accounts,
    case,
    case_log,
    claims,
    detaching,
    dossier,
    dossiers,
    evidence,
    exhibit,
    findings,
    preservation,
    redaction,
    timeline,
)

urlpatterns: list[URLPattern] = [
    path("cases/<str:ref>/", case.case, name="case"),
    path("cases/<str:ref>/edit/", case.edit_case, name="edit_case"),
    path("cases/<str:ref>/assign/", case.assign_case, name="assign_case"),
    path("cases/<str:ref>/move/", case.move_case, name="move_case"),
    path("cases/<str:ref>/claims/", claims.claims, name="case_claims"),
    path("cases/<str:ref>/claims/<str:letter>/", claims.judge, name="judge"),
    path("cases/<str:ref>/alternatives/<slug:slug>/", claims.answer_alternative, name="answer_alternative"),
    path("cases/<str:ref>/accounts/download/", account_lists.download_accounts, name="download_accounts"),
    path("cases/<str:ref>/accounts/", accounts.accounts, name="case_accounts"),
    path("cases/<str:ref>/accounts/detach/", detaching.detach_accounts, name="detach_accounts"),
    path("cases/<str:ref>/clusters/<uuid:pk>/detach/", detaching.detach_cluster, name="detach_cluster"),
    path("cases/<str:ref>/detachments/<uuid:pk>/undo/", detaching.attach_again, name="attach_again"),
    path("cases/<str:ref>/accounts/undo/<uuid:pk>/", accounts.undo_verdicts, name="undo_verdicts"),
    path("cases/<str:ref>/findings/", findings.findings, name="case_findings"),
    path("cases/<str:ref>/timeline/", timeline.timeline_tab, name="case_timeline"),
    path(
        "cases/<str:ref>/timeline/<uuid:pk>/withdraw/", timeline.withdraw_timeline_note, name="withdraw_timeline_note"
    ),
    path("cases/<str:ref>/evidence/", evidence.evidence, name="case_evidence"),
    path("cases/<str:ref>/evidence/add/", evidence.add_evidence, name="add_evidence"),
    path("cases/<str:ref>/evidence/<int:number>/", exhibit.exhibit, name="exhibit"),
    path("cases/<str:ref>/evidence/<int:number>/text/", exhibit.view_evidence, name="view_evidence"),
    path("cases/<str:ref>/evidence/<int:number>/verify/", exhibit.verify_evidence, name="verify_evidence"),
    path("cases/<str:ref>/evidence/<int:number>/derive/", exhibit.derive_evidence, name="derive_evidence"),
    path("cases/<str:ref>/evidence/<int:number>/list/", exhibit.list_archive, name="list_archive"),
    path("cases/<str:ref>/evidence/<int:number>/custody/", exhibit.custody_sheet, name="custody_sheet"),
    path("cases/<str:ref>/evidence/<int:number>/custody/pdf/", exhibit.custody_pdf, name="custody_pdf"),
    path("cases/<str:ref>/evidence/<int:number>/custody/record/", exhibit.record_custody, name="record_custody"),
    path("cases/<str:ref>/evidence/<int:number>/redact/", redaction.redact_evidence, name="redact_evidence"),
    path("cases/<str:ref>/redactions/<uuid:pk>/", redaction.decide_redaction, name="decide_redaction"),
    path("cases/<str:ref>/evidence/<int:number>/download/", evidence.download_evidence, name="download_evidence"),
    path("cases/<str:ref>/preservation/", preservation.preservation_tab, name="case_preservation"),
    path("cases/<str:ref>/preservation/request/", preservation.request_preservation, name="request_preservation"),
    path("cases/<str:ref>/preservation/explain/", preservation.explain_absence, name="explain_absence"),
    path(
        "cases/<str:ref>/preservation/<uuid:pk>/answer/", preservation.answer_preservation, name="answer_preservation"
    ),
    path(
        "cases/<str:ref>/preservation/<uuid:pk>/letter/", preservation.preservation_letter, name="preservation_letter"
    ),
    path("cases/<str:ref>/holds/place/", preservation.place_hold, name="place_hold"),
    path("cases/<str:ref>/dossiers/", dossiers.dossiers, name="case_dossiers"),
    path("cases/<str:ref>/dossiers/freeze/", dossiers.freeze_dossier, name="freeze_dossier"),
    path("cases/<str:ref>/access/", access.access_tab, name="case_access"),
    path("cases/<str:ref>/access/restrict/", access.restrict_case, name="restrict_case"),
    path("cases/<str:ref>/access/open-up/", access.open_case_up, name="open_case_up"),
    path("cases/<str:ref>/access/add/", access.add_member, name="add_member"),
    path("cases/<str:ref>/access/remove/<str:username>/", access.remove_member, name="remove_member"),
    path("cases/<str:ref>/log/", case_log.case_log, name="case_log"),
    path("dossiers/<uuid:pk>/", dossier.dossier, name="dossier"),
    path("dossiers/<uuid:pk>/approve/", dossier.approve_dossier, name="approve_dossier"),
    path("dossiers/<uuid:pk>/render/", dossier.render_dossier, name="render_dossier"),
    path("dossiers/<uuid:pk>/download/", dossier.download_dossier, name="download_dossier"),
]
