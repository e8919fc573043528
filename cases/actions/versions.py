"""The verb on a newer version of what a case holds: its accounts are taken in, or the case stays as it is."""

from typing import Any

from django.db import transaction

from cases import notices, versions
from cases.actions import base, holding
from cases.models import CaseCluster, NewerVersion, NewerVersionAnswer
from people.models import User
from spine import log
from spine.errors import Conflict, Refused
from spine.models import AppendOnly


@transaction.atomic
def answer_version(version: NewerVersion, *, actor: User, kind: str, words: str = "") -> NewerVersionAnswer:
    """Take the accounts of a newer version into its case, or say why the case stays as it is.

    Side effects: when taken, the case holds the cluster beside those it held, and has an account row for each member it
    did not have, without a verdict; one row and one log entry; what people were told of it is settled. Nothing that the
    case holds is taken out. Raises Conflict when somebody answered first or a newer run has seen it since.
    """
    base.require(actor, "cases.write")
    base.one_of(kind, NewerVersionAnswer.Kind.values, field="kind", label="What follows")
    stays = kind == NewerVersionAnswer.Kind.STAYS
    text = base.clean(words, field="words", label="Why it stays as it is", limit=2000, required=stays)
    case = base.locked_case(version.case)
    answered = NewerVersionAnswer.objects.filter(version=version).select_related("entry").first()
    if answered is not None:
        raise base.lost(f"What follows is said: {answered.get_kind_display()}", answered.entry)
    if not versions.standing(case).filter(pk=version.pk).exists():
        raise Conflict("A newer run has seen it since. Look again before you decide.")
    if not stays and CaseCluster.objects.filter(case=case, cluster=version.cluster).exists():
        raise Refused(f"{case.ref} holds this version already.")
    answer = NewerVersionAnswer(version=version, kind=kind, words=text, by=actor)
    who = actor.principal
    if stays:
        data: dict[str, Any] = {"ref": case.ref}
        log.record(actor=who, action="version.left", about=case, scope=case.id, data=data, rows=[answer])
    else:
        rows: list[AppendOnly] = [answer, holding.place_of(case, version.cluster, actor)]
        data = {"ref": case.ref, "accounts": holding.take_in(case, version.cluster)}
        log.record(actor=who, action="version.taken", about=case, scope=case.id, data=data, rows=rows)
    notices.settle(case, [f"newer:{version.pk}"])
    base.touch(case)
    return answer
