"""Lists of accounts over the API: what is known of ids, and accounts by the provider's ids as a file."""

from typing import Any
from uuid import UUID

from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import account_lists
from cases.access import lead_for
from cases.actions import lists
from cases.api.accounts import AccountFilterSerializer, filter_of
from cases.api.shared import UnderCase, attachment, person
from cases.models import Lead
from detection.models import Finding
from people.authentication import needs
from people.models import User
from spine.answers import answers, asked, checked


class KnownAskSerializer(serializers.Serializer[Any]):
    """The provider's ids to look for."""

    ids = serializers.ListField(
        child=serializers.CharField(max_length=account_lists.LONGEST_ID, trim_whitespace=False),
        min_length=1,
        max_length=account_lists.MOST_IDS,
    )


class KnownCaseSerializer(serializers.Serializer[Any]):
    """A case that has the account, with its verdict."""

    ref = serializers.CharField()
    verdict = serializers.CharField()


class KnownSerializer(serializers.Serializer[Any]):
    """What is known of one id; cases and leads are those you may know of."""

    provider_id = serializers.CharField(help_text="as you sent it")
    account = serializers.UUIDField(source="account.id", default=None, allow_null=True)
    pseudonym = serializers.CharField(source="account.pseudonym", default=None, allow_null=True)
    first_seen = serializers.DateTimeField(source="account.first_seen", default=None, allow_null=True)
    last_seen = serializers.DateTimeField(source="account.last_seen", default=None, allow_null=True)
    findings = serializers.IntegerField()
    leads = serializers.IntegerField(help_text="that wait")
    cases = KnownCaseSerializer(many=True)


class KnownAccounts(APIView):
    """What is known of ids, which are sent in the body because addresses end up in logs."""

    permission_classes = [needs(write="leads.read")]

    @extend_schema(
        summary="Say what is known of account ids: findings, leads, cases with verdicts",
        description="Up to 10,000 ids, answered in their order. Changes nothing.",
        tags=["accounts"],
        request=KnownAskSerializer,
        responses=answers(200, KnownSerializer(many=True), 400),
        examples=[OpenApiExample("two ids", value={"ids": ["acct_81c2", "acct_90aa"]}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        wanted = checked(KnownAskSerializer, request.data)
        found = lists.look_up(actor=person(request), provider_ids=list(dict.fromkeys(wanted["ids"])))
        rows = [
            {**vars(one), "cases": [{"ref": ref, "verdict": verdict} for ref, verdict in one.cases]} for one in found
        ]
        return Response(KnownSerializer(rows, many=True).data)


class DownloadAccounts(UnderCase):
    """The accounts of a case by the provider's ids."""

    @extend_schema(
        summary="Download the accounts of a case by the provider's ids, as CSV",
        description="For enforcement: needs the right `accounts.identify`, and stands in the case's log with its "
        "filter and count. A text that a spreadsheet would take for a formula has an apostrophe before it.",
        tags=["cases"],
        parameters=[AccountFilterSerializer],
        responses=answers((200, "text/csv"), OpenApiTypes.BINARY, 400, 404),
    )
    def get(self, request: Request, ref: str) -> HttpResponseBase:
        wanted = filter_of(asked(AccountFilterSerializer, request))
        case = self.case()
        rows = lists.export_accounts(case, actor=person(request), wanted=wanted)
        content = account_lists.as_csv(account_lists.CASE_COLUMNS, account_lists.case_rows(rows))
        return attachment(content, name=f"{case.ref}-accounts.csv", media_type="text/csv; charset=utf-8")


class DownloadMembers(APIView):
    """The members of a lead by the provider's ids."""

    permission_classes = [needs("accounts.identify")]

    @extend_schema(
        summary="Download the accounts of a lead by the provider's ids, as CSV",
        description="The members of the cluster it stands for now, for enforcement: needs the right "
        "`accounts.identify`, and stands in the log. Sanctioned testers, and who was said not to be of the same "
        "operation, are marked.",
        tags=["leads"],
        responses=answers((200, "text/csv"), OpenApiTypes.BINARY, 404),
    )
    def get(self, request: Request, lead_id: UUID) -> HttpResponseBase:
        who = person(request)
        return members_of(lead_for(who, lead_id), actor=who)


class DownloadStated(APIView):
    """The accounts of a finding by the provider's ids."""

    permission_classes = [needs("accounts.identify")]

    @extend_schema(
        summary="Download the accounts of a finding by the provider's ids, as CSV",
        description="With the volume its detector states, for enforcement: needs the right `accounts.identify`, and "
        "stands in the log.",
        tags=["findings"],
        responses=answers((200, "text/csv"), OpenApiTypes.BINARY, 404),
    )
    def get(self, request: Request, finding_id: UUID) -> HttpResponseBase:
        return stated_in(finding_id, actor=person(request))


def members_of(lead: Lead, *, actor: User) -> HttpResponseBase:
    """The file on a lead's members, which is in the log."""
    lists.export_members(lead, actor=actor)
    content = account_lists.as_csv(account_lists.MEMBER_COLUMNS, account_lists.member_rows(actor, lead))
    name = f"lead-accounts-{lead.cluster.run.finished_at:%Y%m%d-%H%M}.csv"
    return attachment(content, name=name, media_type="text/csv; charset=utf-8")


def stated_in(finding_id: UUID, *, actor: User) -> HttpResponseBase:
    """The file on a finding's accounts, which is in the log."""
    finding = get_object_or_404(Finding.objects.select_related("detector").defer("payload"), pk=finding_id)
    lists.export_stated(finding, actor=actor)
    content = account_lists.as_csv(account_lists.STATED_COLUMNS, account_lists.stated_rows(finding))
    name = f"finding-accounts-{finding.received_at:%Y%m%d-%H%M}.csv"
    return attachment(content, name=name, media_type="text/csv; charset=utf-8")
