"""The verb on a recall flag: somebody has looked at the case again and says what follows."""

from django.db import transaction

from cases.actions import base
from cases.models import RecallAnswer, RecallFlag
from people.models import User
from spine import log
from spine.errors import Conflict


@transaction.atomic
def answer_recall(flag: RecallFlag, *, actor: User, words: str) -> RecallAnswer:
    """Say what follows for the case from the recall. Side effects: one row under one log entry; escalation waits no
    more for this flag. Answered twice, the second is told."""
    base.require(actor, "cases.write")
    case = base.locked_case(flag.case)
    text = base.clean(words, field="words", label="What follows", limit=2000)
    if RecallAnswer.objects.filter(flag=flag).exists():
        raise Conflict("Somebody has answered it meanwhile. Look again before you decide.")
    row = RecallAnswer(flag=flag, words=text, by=actor)
    version = flag.recall.detector_version
    data = {"name": version.detector.name, "version": version.version}
    log.record(actor=actor.principal, action="recall.answered", about=case, scope=case.id, data=data, rows=[row])
    base.touch(case)
    return row
