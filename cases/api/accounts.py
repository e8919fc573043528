"""The accounts of a case over the API, by our id and pseudonym, each with its newest verdict."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cases import testers
from cases.api.shared import UnderCase, Username
from cases.filters import NO_VERDICT, AccountFilter, matching
from cases.models import CaseAccount, Verdict
from cases.views.masking import masked
from cases.vocabulary import VerdictValue
from spine.answers import answers, asked

TAGS = ["cases"]


class AccountFilterSerializer(serializers.Serializer[Any]):
    """Which accounts are meant; what is left out does not restrict."""

    verdict = serializers.ChoiceField([*VerdictValue.choices, (NO_VERDICT, "no verdict")], required=False)
    text = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="part of a pseudonym or of a shared attribute's value",
    )
    cluster = serializers.UUIDField(required=False, allow_null=True, help_text="a cluster the case holds")
    tester = serializers.ChoiceField(
        [("yes", "on the list of sanctioned testers"), ("no", "not on it")], required=False
    )
    min_exchanges = serializers.IntegerField(required=False, min_value=0, max_value=2**53 - 1)


class VerdictSerializer(serializers.ModelSerializer[Verdict]):
    """What a person decided about an account in a case; `value` is empty where an undo took the first decision back."""

    decided_by = Username()
    supersedes = serializers.UUIDField(source="supersedes_id", allow_null=True)

    class Meta:
        model = Verdict
        fields = ["id", "value", "reason", "decided_by", "at", "job_id", "supersedes"]
        read_only_fields = fields


class TesterSerializer(serializers.Serializer[Any]):
    """Why an account is marked as a sanctioned tester; `outside`: it was active outside the window too."""

    test = serializers.UUIDField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    outside = serializers.BooleanField()


class CaseAccountSerializer(serializers.ModelSerializer[CaseAccount]):
    """An account in a case: volumes and ties are those of the newest run's cluster that the case holds."""

    id = serializers.UUIDField(source="account_id", help_text="our id of the account")
    pseudonym = serializers.CharField(source="account.pseudonym")
    verdict = VerdictSerializer(allow_null=True)
    sanctioned_tester = TesterSerializer(source="mark", allow_null=True)
    cluster = serializers.UUIDField(source="member.cluster_id")
    strength = serializers.FloatField(source="member.strength", help_text="how firmly it is tied, 0–1")
    reasons = serializers.ListField(child=serializers.CharField(), source="member.reasons")
    input_tokens = serializers.IntegerField(source="member.input_tokens")
    output_tokens = serializers.IntegerField(source="member.output_tokens")
    first_seen = serializers.DateTimeField(source="member.first_seen")
    last_seen = serializers.DateTimeField(source="member.last_seen")

    class Meta:
        model = CaseAccount
        fields = [
            "id",
            "pseudonym",
            "verdict",
            "sanctioned_tester",
            "exchanges",
            "input_tokens",
            "output_tokens",
            "first_seen",
            "last_seen",
            "strength",
            "reasons",
            "cluster",
        ]
        read_only_fields = fields


class Accounts(UnderCase, generics.ListAPIView[CaseAccount]):
    """The accounts of one case."""

    serializer_class = CaseAccountSerializer
    queryset = CaseAccount.objects.none()

    @extend_schema(
        summary="List the accounts of a case",
        description="Every account of the clusters the case holds, with its newest verdict, or null.",
        tags=TAGS,
        parameters=[AccountFilterSerializer],
        responses=answers(200, CaseAccountSerializer(many=True), 400, 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def paginate_queryset(self, queryset: Any) -> list[Any] | None:
        """A page in which pseudonyms stand for the provider's account ids that the reasons name."""
        page = super().paginate_queryset(queryset) or []
        clean = masked(reason for row in page for reason in row.member.reasons)
        marks = testers.marks(page)
        for row in page:
            row.mark = marks.get(row.account_id)
            row.member.reasons = [clean(reason) for reason in row.member.reasons]
        return page

    def get_queryset(self) -> QuerySet[CaseAccount]:
        case = self.case()
        wanted = filter_of(asked(AccountFilterSerializer, self.request))
        return matching(case, wanted).select_related("account", "member", "verdict__decided_by")


def filter_of(given: dict[str, Any]) -> AccountFilter:
    """The filter as the rest of the product has it; raises Refused at the field for what it cannot mean."""
    return AccountFilter.of({name: str(value) for name, value in given.items() if value is not None})
