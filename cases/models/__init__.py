"""The records of judgement: leads, cases, verdicts, claims, evidence, timeline, dossiers."""

from cases.models.access import CaseMember, Digest, MembershipChange, Notice, NoticeSettings
from cases.models.archive import ArchiveListing
from cases.models.case import Case, CaseAccount, CaseCluster, Verdict
from cases.models.claims import AlternativeAnswer, Citation, Judgement
from cases.models.counsel import CounselExport, CounselMember, CounselNote, CounselTrack
from cases.models.deconfliction import (
    Approach,
    BrokerAnswer,
    BrokerReason,
    BrokerTerm,
    Comparison,
    Introduction,
    Match,
    Question,
    QuestionAbout,
    Reply,
)
from cases.models.destruction import DestructionDecision, DestructionOrder, RetentionPolicy
from cases.models.detaching import DetachedAccount, Detachment, Reattachment
from cases.models.disclosure import DisclosureAsk, DisclosureNote, DisclosureRelease, LegalBasis, Recipient
from cases.models.dossier import DossierApproval, DossierProof, DossierSeal, DossierVersion
from cases.models.evidence import CustodyEvent, EvidenceItem
from cases.models.exchange_sets import (
    ExchangeSet,
    ExchangeSetRerun,
    SampledExchange,
    SampleResult,
    SamplingPlan,
)
from cases.models.holds import (
    Hold,
    HoldAcknowledgement,
    HoldCustodian,
    HoldRelease,
    HoldReleaseAsk,
    HoldReminder,
    HoldScope,
)
from cases.models.lead import Lead, LeadDecision, LeadSighting, LeadSnooze
from cases.models.preservation import PreservationAbsence, PreservationAnswer, PreservationRequest
from cases.models.recalls import RecallAnswer, RecallDraft, RecallFlag, VersionPrecision
from cases.models.redaction import Redacted, RedactionDecision, RedactionProposal
from cases.models.testers import SanctionedAccount, SanctionedTest, SanctionedTestEnd
from cases.models.timeline import TimelineNote
from cases.models.upload import Upload, UploadPart
from cases.models.vaultcheck import VaultCheck
from cases.models.versions import LeadMatch, NewerVersion, NewerVersionAnswer
from cases.models.webhooks import Webhook, WebhookAttempt, WebhookDelivery, WebhookEvent

__all__ = [
    "AlternativeAnswer",
    "Approach",
    "ArchiveListing",
    "BrokerAnswer",
    "BrokerReason",
    "BrokerTerm",
    "Case",
    "CaseAccount",
    "CaseCluster",
    "CaseMember",
    "Citation",
    "Comparison",
    "CounselExport",
    "CounselMember",
    "CounselNote",
    "CounselTrack",
    "CustodyEvent",
    "DestructionDecision",
    "DestructionOrder",
    "DetachedAccount",
    "Detachment",
    "Digest",
    "DisclosureAsk",
    "DisclosureNote",
    "DisclosureRelease",
    "DossierApproval",
    "DossierProof",
    "DossierSeal",
    "DossierVersion",
    "EvidenceItem",
    "ExchangeSet",
    "ExchangeSetRerun",
    "Hold",
    "HoldAcknowledgement",
    "HoldCustodian",
    "HoldRelease",
    "HoldReleaseAsk",
    "HoldReminder",
    "HoldScope",
    "Introduction",
    "Judgement",
    "Lead",
    "LeadDecision",
    "LeadMatch",
    "LeadSighting",
    "LeadSnooze",
    "LegalBasis",
    "Match",
    "MembershipChange",
    "NewerVersion",
    "NewerVersionAnswer",
    "Notice",
    "NoticeSettings",
    "PreservationAbsence",
    "PreservationAnswer",
    "PreservationRequest",
    "Question",
    "QuestionAbout",
    "Reattachment",
    "RecallAnswer",
    "RecallDraft",
    "RecallFlag",
    "Recipient",
    "Redacted",
    "RedactionDecision",
    "RedactionProposal",
    "Reply",
    "RetentionPolicy",
    "SampleResult",
    "SampledExchange",
    "SamplingPlan",
    "SanctionedAccount",
    "SanctionedTest",
    "SanctionedTestEnd",
    "TimelineNote",
    "Upload",
    "UploadPart",
    "VaultCheck",
    "Verdict",
    "VersionPrecision",
    "Webhook",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEvent",
]
