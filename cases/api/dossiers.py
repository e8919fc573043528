"""Dossiers over the API: ask for one, watch it, approve its snapshot as a second person, download the package."""

from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import FileResponse, Http404
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import access, recalls
from cases.actions import dossiers as verbs
from cases.api.jobs import AcceptedSerializer, JobSerializer
from cases.api.shared import (
    AnyAccept,
    ApprovalDoor,
    CaseDoor,
    Moment,
    UnderCase,
    Username,
    Words,
    accepted,
    attachment,
    person,
)
from cases.dossier.build import rendered
from cases.models import DossierApproval, DossierProof, DossierSeal, DossierVersion
from cases.models.dossier import Edition
from people.models import User
from people.reauth import RecentlyProven
from spine.answers import answers, checked
from spine.errors import Refused
from spine.models import Job

TAGS = ["dossiers"]


class PrepareSerializer(serializers.Serializer[Any]):
    """What dossier to make. Without recipient and basis it is an internal copy, marked not for disclosure."""

    edition = serializers.ChoiceField(Edition.choices, required=False, default=Edition.COUNSEL.value)
    recipient = Words(required=False, allow_blank=True, default="")
    basis = Words(
        required=False, allow_blank=True, default="", help_text="the legal basis of giving it to the recipient"
    )
    as_of = Moment(required=False, allow_null=True, default=None, help_text="the case as it stood then; else now")


class ApprovalSerializer(serializers.ModelSerializer[DossierApproval]):
    """A second person's approval of the snapshot's hash."""

    approver = Username()

    class Meta:
        model = DossierApproval
        fields = ["approver", "snapshot_sha256", "note", "at"]
        read_only_fields = fields


class SealSerializer(serializers.ModelSerializer[DossierSeal]):
    """The digests that stand in the log."""

    class Meta:
        model = DossierSeal
        fields = ["manifest_sha256", "statement_sha256", "at"]
        read_only_fields = fields


class PackageSerializer(serializers.ModelSerializer[DossierProof]):
    """The sealed package's own digest."""

    sha256 = serializers.CharField(source="package_sha256")
    size = serializers.IntegerField(source="package_size")

    class Meta:
        model = DossierProof
        fields = ["sha256", "size", "at"]
        read_only_fields = fields


class DossierSerializer(serializers.ModelSerializer[DossierVersion]):
    """A frozen version and how far it is: `draft`, `approved` while it is rendered, `sealed`."""

    case = serializers.CharField(source="case.ref")
    name = serializers.CharField(source="bag_name")
    state = serializers.SerializerMethodField()
    preparer = Username()
    approval = serializers.SerializerMethodField()
    seal = serializers.SerializerMethodField()
    package = serializers.SerializerMethodField()

    class Meta:
        model = DossierVersion
        fields = [
            "id",
            "case",
            "name",
            "edition",
            "number",
            "recipient",
            "basis",
            "state",
            "cut_at",
            "log_size",
            "snapshot_sha256",
            "release",
            "preparer",
            "frozen_at",
            "approval",
            "seal",
            "package",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(["draft", "approved", "sealed"]))
    def get_state(self, version: DossierVersion) -> str:
        if _proof(version) is not None:
            return "sealed"
        return "approved" if getattr(version, "approval", None) is not None else "draft"

    @extend_schema_field(ApprovalSerializer(allow_null=True))
    def get_approval(self, version: DossierVersion) -> Any:
        return _or_null(ApprovalSerializer, getattr(version, "approval", None))

    @extend_schema_field(SealSerializer(allow_null=True))
    def get_seal(self, version: DossierVersion) -> Any:
        return _or_null(SealSerializer, getattr(version, "seal", None))

    @extend_schema_field(PackageSerializer(allow_null=True))
    def get_package(self, version: DossierVersion) -> Any:
        return _or_null(PackageSerializer, _proof(version))


class LeanedSerializer(serializers.Serializer[Any]):
    """A recalled detector version that a dossier leans on."""

    detector = serializers.CharField(source="recall.detector_version.detector.name")
    version = serializers.CharField(source="recall.detector_version.version")
    reason = serializers.CharField(source="recall.reason")
    recalled_at = serializers.DateTimeField(source="recall.at")
    unanswered = serializers.BooleanField(source="waits", help_text="in its case; the dossier is not disclosed before")
    stated = serializers.BooleanField(source="said", help_text="whether the recall stands in the dossier itself")


class WholeDossierSerializer(DossierSerializer):
    """A version with the job that rendered it last, whether a package lies ready, and what of it is recalled."""

    recalls = serializers.SerializerMethodField()
    ready = serializers.SerializerMethodField(help_text="whether a package can be downloaded now")
    job = serializers.SerializerMethodField()

    class Meta(DossierSerializer.Meta):
        fields = [*DossierSerializer.Meta.fields, "recalls", "ready", "job"]
        read_only_fields = fields

    @extend_schema_field(LeanedSerializer(many=True))
    def get_recalls(self, version: DossierVersion) -> Any:
        return LeanedSerializer(recalls.leaned(version), many=True).data

    @extend_schema_field(serializers.BooleanField())
    def get_ready(self, version: DossierVersion) -> bool:
        return rendered(version) is not None

    @extend_schema_field(JobSerializer(allow_null=True))
    def get_job(self, version: DossierVersion) -> Any:
        jobs = Job.objects.filter(scope=version.case_id, kind=verbs.RENDER, args__version=str(version.id))
        return _or_null(JobSerializer, jobs.order_by("-created_at").first())


class ApproveSerializer(serializers.Serializer[Any]):
    """What is approved, by its hash."""

    snapshot_sha256 = serializers.RegexField(r"^[0-9a-f]{64}\Z", help_text="of the snapshot you read")
    note = Words(required=False, allow_blank=True, default="")


class Dossiers(UnderCase, generics.ListAPIView[DossierVersion]):
    """The dossiers of one case."""

    serializer_class = DossierSerializer
    queryset = DossierVersion.objects.none()

    @extend_schema(
        summary="List the dossiers of a case",
        description="Every frozen version, newest first.",
        tags=TAGS,
        responses=answers(200, DossierSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Prepare a dossier",
        description="A job freezes the case at a cut and renders a draft; its progress stands at `status_url`. The "
        "same question again while it waits or runs is the same job.",
        tags=TAGS,
        request=PrepareSerializer,
        responses=answers(202, AcceptedSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.case()
        job = verbs.prepare(case, actor=person(request), **checked(PrepareSerializer, request.data))
        return _accepted(request, job)

    def get_queryset(self) -> QuerySet[DossierVersion]:
        return _versions().filter(case=self.case())


class OneDossier(APIView):
    """One version."""

    permission_classes = [CaseDoor]

    @extend_schema(
        summary="Read a dossier version",
        description="With its cut, its snapshot's hash, approval, seal, and the job that renders it.",
        tags=TAGS,
        responses=answers(200, WholeDossierSerializer, 404),
    )
    def get(self, request: Request, version_id: UUID) -> Response:
        return Response(WholeDossierSerializer(_version(person(request), version_id)).data)


class ApproveDossier(APIView):
    """A second person's approval."""

    permission_classes = [ApprovalDoor, RecentlyProven]

    @extend_schema(
        summary="Approve a dossier's snapshot",
        description="By its hash, as somebody else than who prepared it; a job then renders and seals the package. "
        "409 to who prepared it, and when it was approved before.",
        tags=TAGS,
        request=ApproveSerializer,
        responses=answers(201, WholeDossierSerializer, 400, 404, 409),
    )
    def post(self, request: Request, version_id: UUID) -> Response:
        version = _version(person(request), version_id)
        verbs.approve(version, actor=person(request), **checked(ApproveSerializer, request.data))
        return Response(WholeDossierSerializer(_version(person(request), version_id)).data, status=201)


class RenderDossier(APIView):
    """The package, built again."""

    permission_classes = [CaseDoor]

    @extend_schema(
        summary="Render a dossier again",
        description="From its frozen snapshot, to the same bytes: for when the rendered files were removed.",
        tags=TAGS,
        request=None,
        responses=answers(202, AcceptedSerializer, 404),
    )
    def post(self, request: Request, version_id: UUID) -> Response:
        version = _version(person(request), version_id)
        return _accepted(request, verbs.render(version, actor=person(request).principal))


class DownloadDossier(APIView):
    """The package itself. HEAD is not served, as for exhibits."""

    http_method_names = ["get", "options"]
    permission_classes = [CaseDoor]
    content_negotiation_class = AnyAccept

    @extend_schema(
        summary="Download a dossier",
        description="The sealed package, or the draft, which says so in its name. Each download is logged. 409 while "
        "none lies ready.",
        tags=TAGS,
        responses=answers((200, "application/zip"), OpenApiTypes.BINARY, 404, 409),
    )
    def get(self, request: Request, version_id: UUID) -> FileResponse:
        version = _version(person(request), version_id)
        package = rendered(version)
        if package is None:
            raise Refused("No package of this version lies ready: it is being rendered, or has to be rendered again.")
        stream = package.open("rb")
        verbs.record_download(version, actor=person(request), sha256=_digest(package))
        return attachment(stream, name=package.name, media_type="application/zip", size=package.stat().st_size)


def _versions() -> QuerySet[DossierVersion]:
    return DossierVersion.objects.select_related("case", "preparer", "approval__approver", "seal__proof")


def _version(user: User, version_id: UUID) -> DossierVersion:
    """A version of a case this person may know of."""
    version = _versions().filter(pk=version_id, case__in=access.visible_cases(user)).first()
    if version is None:
        raise Http404
    return version


def _proof(version: DossierVersion) -> DossierProof | None:
    return getattr(getattr(version, "seal", None), "proof", None)


def _or_null(serializer: Any, row: Any) -> Any:
    return serializer(row).data if row is not None else None


def _digest(package: Path) -> str:
    """The package's digest, from the file that was written beside it."""
    return package.with_name(f"{package.name}.sha256").read_text(encoding="ascii").split()[0]


def _accepted(request: Request, job: Job) -> Response:
    return accepted(request, {"job": JobSerializer(job).data}, reverse("cases-api:job", args=[job.id]))
