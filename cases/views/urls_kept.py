"""The addresses of what is kept, handed out and destroyed."""

from django.urls import URLPattern, path

from cases.views import destruction, disclosures, holds, registers, simulating, sources

urlpatterns: list[URLPattern] = [
    path("sources/", sources.source_list, name="sources"),
    path("sources/add/", sources.add_to_source, name="add_to_source"),
    path("sources/simulate/", simulating.simulate, name="simulate"),
    path("sources/<uuid:pk>/", sources.source, name="source"),
    path("sources/<uuid:pk>/stop/", sources.stop_reading, name="stop_reading"),
    path("sources/<uuid:pk>/files/<uuid:file>/", sources.source_file, name="source_file"),
    path("sources/<uuid:pk>/retention/", sources.set_source_retention, name="set_source_retention"),
    path("registers/", registers.registers, name="registers"),
    path("registers/bases/", registers.save_basis, name="save_basis"),
    path("registers/recipients/", registers.save_recipient, name="save_recipient"),
    path("disclosures/", disclosures.disclosure_list, name="disclosures"),
    path("disclosures/<uuid:pk>/release/", disclosures.release_disclosure, name="release_disclosure"),
    path("disclosures/<uuid:pk>/note/", disclosures.note_disclosure, name="note_disclosure"),
    path("dossiers/<uuid:pk>/disclosures/", disclosures.dossier_disclosures, name="dossier_disclosures"),
    path("dossiers/<uuid:pk>/disclosures/ask/", disclosures.ask_disclosure, name="ask_disclosure"),
    path("retention/", destruction.retention_page, name="retention"),
    path("retention/policy/", destruction.set_policy, name="set_policy"),
    path("retention/<uuid:pk>/order/", destruction.order_retention, name="order_retention"),
    path("retention/orders/<uuid:pk>/decide/", destruction.decide_order, name="decide_order"),
    path("erasure/", destruction.erasure_page, name="erasure"),
    path("erasure/order/", destruction.order_erasure, name="order_erasure"),
    path("holds/", holds.hold_list, name="holds"),
    path("holds/<uuid:pk>/", holds.hold, name="hold"),
    path("holds/<uuid:pk>/custodians/", holds.add_custodian, name="add_custodian"),
    path("holds/<uuid:pk>/ask-release/", holds.ask_hold_release, name="ask_hold_release"),
    path("holds/<uuid:pk>/release/", holds.release_hold, name="release_hold"),
    path("custodians/<uuid:pk>/acknowledge/", holds.acknowledge_hold, name="acknowledge_hold"),
    path("custodians/<uuid:pk>/acknowledge-for/", holds.acknowledge_hold_for, name="acknowledge_hold_for"),
    path("custodians/<uuid:pk>/remind/", holds.remind_custodian, name="remind_custodian"),
]
