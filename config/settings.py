"""Settings, all from the environment. A value that cannot be used stops the start and says what would be accepted."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import django.forms
from celery.schedules import crontab

from config import evidence, logs, oidc
from config import home as homes
from config.environment import (
    address,
    boolean,
    choice,
    database,
    each,
    integer,
    line,
    listed,
    mail_server,
    named_value,
    network,
    readable_file,
    secret,
    secret_or_none,
    text,
    web_address,
    words,
)
from spine import allowlist, destinations

BASE_DIR = Path(__file__).resolve().parent.parent
HOME = homes.current()
if not os.environ.get("DATABASE_URL"):
    for _name, _value in homes.environment(HOME).items():
        os.environ.setdefault(_name, _value)

VERSION = "0.1.0"
DEBUG = False
SECRET_KEY = secret("RETORT_SECRET_KEY", default_file=HOME.secret_key)
PUBLIC_URL = address("RETORT_PUBLIC_URL", f"http://127.0.0.1:{integer('PORT', 8000)}")
_public = urlsplit(PUBLIC_URL)
SECURE = _public.scheme == "https"
ALLOWED_HOSTS = words("RETORT_ALLOWED_HOSTS", [_public.hostname or "", "127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
SAMPLE = choice("RETORT_SAMPLE", "yes", ["yes", "no"]) == "yes"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "spine",
    "people",
    "detection",
    "cases",
]

MIDDLEWARE = [
    "config.middleware.RequestId",
    "config.middleware.Measured",
    "config.middleware.Headers",
    "config.middleware.ApiOverHttps",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "people.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "people.middleware.PrincipalMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "people.middleware.UnfinishedMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

FORM_RENDERER = "django.forms.renderers.TemplatesSetting"  # so that templates/django/forms stands over Django's own

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates", Path(django.forms.__file__).parent / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "cases.context.frame",
            ],
            "builtins": ["django.templatetags.static", "cases.templatetags.retort"],
        },
    }
]

DATABASES = {
    "default": {**database("DATABASE_URL"), "ENGINE": "spine.backend", "ATOMIC_REQUESTS": True},
    "audit": {**database("RETORT_AUDIT_DATABASE_URL", fallback="DATABASE_URL"), "ENGINE": "spine.backend"},
}
if os.environ.get("RETORT_OWNER_DATABASE_URL"):
    DATABASES["owner"] = database("RETORT_OWNER_DATABASE_URL")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "people.User"
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "queue"
LOGOUT_REDIRECT_URL = "sign_in"
ROLES = ["administrator", "case_lead", "analyst", "counsel", "reader"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "people.strength.StrengthValidator"},
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
# After so many failures in one window, further attempts are refused until it is over; counted in the database.
SIGN_IN_WINDOW_SECONDS = integer("RETORT_SIGN_IN_WINDOW_SECONDS", 15 * 60)
SIGN_IN_LIMITS = {
    "account": integer("RETORT_SIGN_IN_ATTEMPTS", 10),
    "address": integer("RETORT_SIGN_IN_ATTEMPTS_PER_ADDRESS", 100),
    "second_factor": integer("RETORT_SECOND_FACTOR_ATTEMPTS", 10),
}
SECOND_FACTOR_KEY_FILE = text("RETORT_SECOND_FACTOR_KEY_FILE", str(HOME.second_factor_key))
REQUIRE_SECOND_FACTOR = listed("RETORT_REQUIRE_SECOND_FACTOR", ROLES)
REAUTHENTICATE_SECONDS = 60 * integer("RETORT_REAUTHENTICATE_MINUTES", 5)
ONE_TIME_PASSWORD_SECONDS = 3600 * integer("RETORT_ONE_TIME_PASSWORD_HOURS", 72)
SESSION_IDLE_SECONDS = 60 * integer("RETORT_SESSION_IDLE_MINUTES", 60)
OIDC = oidc.provider(ROLES)
OIDC_PROVIDER_ID = oidc.PROVIDER_ID

# django-allauth: its second factors, its OpenID Connect and its list of sessions, under our pages, words and policies.
ACCOUNT_ADAPTER = "people.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_EMAIL_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_RATE_LIMITS = False  # people.lockout counts, in the database
MFA_ADAPTER = "people.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Retort"
MFA_RECOVERY_CODE_COUNT = 10
SOCIALACCOUNT_ADAPTER = "people.adapters.ProviderAdapter"
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [OIDC.app] if OIDC else []}}
SOCIALACCOUNT_REQUESTS_TIMEOUT = 10

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = HOME.path / "static"
STATICFILES_DIRS = [BASE_DIR / "static", ("vendor/plotly", homes.plotly_folder())]
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": HOME.path / "incoming"},
    },
    "evidence": evidence.storage(HOME.path / "vault"),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = False

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_NAME = "__Host-session" if SECURE else "retort_session"
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE else "retort_csrf"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 3600 * integer("RETORT_SESSION_HOURS", 12)
SECURE_SSL_REDIRECT = SECURE
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]  # asked from this machine, without the proxy
# Who may read /metrics: with this token, or from these networks; nobody when neither is set.
METRICS_TOKEN = secret_or_none("RETORT_METRICS_TOKEN", least=20)
METRICS_FROM = each("RETORT_METRICS_FROM", network)
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE
BEHIND_PROXY = boolean("RETORT_BEHIND_PROXY", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "object-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
FILE_UPLOAD_TEMP_DIR = HOME.path / "incoming"
FILE_UPLOAD_PERMISSIONS = 0o400
DECONFLICTION_LEAST_ACCOUNTS = integer("RETORT_DECONFLICTION_LEAST_ACCOUNTS", 5)
DECONFLICTION_PER_DAY = integer("RETORT_DECONFLICTION_PER_DAY", 3)
COUNSEL_MARKING = line(
    "RETORT_COUNSEL_MARKING", "Privileged & confidential – attorney–client communication / work product", most=200
)
MAX_EVIDENCE_BYTES = integer("RETORT_MAX_EVIDENCE_BYTES", 64 * 1024**3)
INCOMING_ROOT = text("RETORT_UPLOAD_FOLDER", str(HOME.path / "incoming" / "uploads"))
VERIFY_DAYS = integer("RETORT_VERIFY_DAYS", 30)
VERIFY_SECONDS = integer("RETORT_VERIFY_SECONDS", 900)
UPLOAD_HOURS = integer("RETORT_UPLOAD_HOURS", 72)
OUTBOX_DAYS = integer("RETORT_OUTBOX_DAYS", 30)
WEB_THREADS = homes.WEB_THREADS
MAX_BULK_BYTES = integer("RETORT_MAX_BULK_BYTES", 8 * 1024**3)

TELEMETRY_ROOT = HOME.path / "telemetry"
# The largest simulated telemetry that may be asked for; by command any size is made.
SIMULATE_MOST = {
    "exchanges": integer("RETORT_SIMULATE_MOST_EXCHANGES", 30_000_000),
    "accounts": integer("RETORT_SIMULATE_MOST_ACCOUNTS", 300_000),
}
# Where s3:// addresses of telemetry are read from; the endpoint has to be on the list of destinations too.
TELEMETRY_S3 = {
    "endpoint": web_address("RETORT_TELEMETRY_S3_ENDPOINT"),
    "region": text("RETORT_TELEMETRY_S3_REGION", "us-east-1"),
    "access_key": text("RETORT_TELEMETRY_S3_ACCESS_KEY", ""),
    "secret_key": secret_or_none("RETORT_TELEMETRY_S3_SECRET_KEY", least=1),
}
# Where detectors run (detection/telemetry/engines.py); the options are Spark's own, spark.master among them.
DETECTION_ENGINE = choice("RETORT_DETECTION_ENGINE", "duckdb", ["duckdb", "spark"])
SPARK_OPTIONS = dict(each("RETORT_SPARK_OPTIONS", named_value))
DETECTION_MEMORY_MB = integer("RETORT_DETECTION_MEMORY_MB", 4096, least=256)
RENDER_ROOT = HOME.path / "renders"
CHECKPOINT_FOLDER = HOME.path / "checkpoints"
# The private key has no setting here: the signer alone reads it (config/signing.py).
LOG_PUBLIC_KEY_FILE = text("RETORT_LOG_PUBLIC_KEY_FILE", str(HOME.log_public_key))
SIGNER_SOCKET = text("RETORT_SIGNER_SOCKET", str(HOME.signer_socket if HOME.run.is_dir() else HOME.run))
# An RFC 3161 authority; its pinned certificates have to be there with it.
TSA_URL = web_address("RETORT_TSA_URL")
TSA_CA_FILE = readable_file("RETORT_TSA_CA_FILE", needed=bool(TSA_URL), what="the authority's certificates in PEM form")
TSA_SECONDS = integer("RETORT_TSA_SECONDS", 900)
# Where copies of checkpoints leave to (spine/destinations.py).
CHECKPOINT_DESTINATIONS = each("RETORT_CHECKPOINT_DESTINATIONS", destinations.parse)
CHECKPOINT_SEND_SECONDS = integer("RETORT_CHECKPOINT_SEND_SECONDS", 900)
# What feeds and webhooks may reach, nothing by default (spine/allowlist.py); authorities trusted beside the system's.
OUTGOING_ALLOWED = each("RETORT_OUTGOING_ALLOWED", allowlist.parse)
OUTGOING_CA_FILE = readable_file("RETORT_OUTGOING_CA_FILE", needed=False, what="certificates in PEM form")
PSEUDONYM_KEY_FILE = text("RETORT_PSEUDONYM_KEY_FILE", str(HOME.pseudonym_key))

# Mail, for checkpoints that leave by it and notices to people who want them so.
for _name, _value in mail_server("RETORT_EMAIL_URL").items():
    globals()[_name] = _value
DEFAULT_FROM_EMAIL = text("RETORT_EMAIL_FROM", f"retort@{_public.hostname or 'localhost'}")
EMAIL_TIMEOUT = 15

# Visible tables: what a job kind and an outbox topic call, and where log sentences stand.
JOB_KINDS = {
    "log.verify": "spine.checking.run",
    "telemetry.add": "detection.tasks.add_telemetry",
    "telemetry.simulate": "detection.tasks.simulate_telemetry",
    "detectors.run": "detection.tasks.run_detectors",
    "detectors.measure": "detection.tasks.measure_detectors",
    "clusters.draw": "detection.tasks.draw_clusters",
    "findings.group": "detection.tasks.group_findings",
    "feed.pull": "detection.tasks.pull_feed",
    "feed.backfill": "detection.tasks.pull_feed",
    "verdicts.set": "cases.tasks.set_verdicts",
    "evidence.redact": "cases.tasks.redact",
    "evidence.list": "cases.tasks.list_archive",
    "vault.compare": "cases.tasks.compare_vault",
    "evidence.take_in": "cases.tasks.take_in_upload",
    "exchange_set.make": "cases.tasks.make_exchange_set",
    "exchange_set.rerun": "cases.tasks.rerun_exchange_set",
    "exchange_set.sample": "cases.tasks.sample_exchange_set",
    "deconfliction.compare": "cases.tasks.compare_question",
    "dossier.freeze": "cases.tasks.freeze_dossier",
    "dossier.render": "cases.tasks.render_dossier",
    "recall.flag": "cases.tasks.flag_recalled",
    "destruction.carry_out": "cases.tasks.carry_out_destruction",
    "mail.confirm": "people.mail.send_confirmation",
    "notice.mail": "cases.tasks.mail_notice",
    "notice.digest": "cases.tasks.mail_digest",
    "webhook.send": "cases.tasks.send_to_webhook",
}
# What /metrics asks: each gives families of metrics, with a fixed number of queries.
METRICS = ["spine.metrics.families", "detection.metrics.families"]
# What `migrate` does as the owner after grants and triggers: (alias, application role, audit role).
PROTECTION_STEPS = ["detection.belonging.apply", "cases.walls.apply", "cases.keeping.apply", "spine.erasure.apply"]
OUTBOX_HANDLERS = {
    "run.finished": "cases.leads.on_run_finished",
    "act.recorded": "cases.following.on_act",
    "feed.stalled": "cases.following.on_feed_stalled",
    "job.parked": "cases.webhook_events.on_job_parked",
    "version.recalled": "cases.recalls.on_version_recalled",
}
# Acts in the log that have a follow-up: each module names them in FOLLOWED.
LOG_FOLLOWED = ["cases.following"]
LOG_SENTENCES = ["spine.sentences", "people.sentences", "detection.sentences", "cases.sentences"]
LEAD_WAITING_HOURS = integer("RETORT_LEAD_WAITING_HOURS", 24)
QUIET_CASE_DAYS = integer("RETORT_QUIET_CASE_DAYS", 14)
BREAK_GLASS_HOURS = integer("RETORT_BREAK_GLASS_HOURS", 4)
JOB_LEASE_SECONDS = integer("RETORT_JOB_LEASE_SECONDS", 30)
SWEEP_SECONDS = integer("RETORT_SWEEP_SECONDS", 15)
WORKER_SILENT_SECONDS = integer("RETORT_WORKER_SILENT_SECONDS", 60, least=5)
SEQUENCE_SECONDS = integer("RETORT_SEQUENCE_SECONDS", 5)
VERIFY_HOUR = integer("RETORT_VERIFY_HOUR", 2, least=0, most=23)
SEND_TASKS = boolean("RETORT_SEND_TASKS", True)

BROKER_URL = secret("BROKER_URL")
CELERY_BROKER_URL = BROKER_URL
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "visibility_timeout": 3600,
}
CELERY_TIMEZONE = "UTC"
CELERY_TASK_DEFAULT_QUEUE = "retort"
CELERY_BEAT_SCHEDULER = "config.beat:Scheduler"
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "spine.tasks.sweep", "schedule": SWEEP_SECONDS, "options": {"expires": SWEEP_SECONDS * 2}},
    "outbox_tidy": {"task": "spine.tasks.tidy_outbox", "schedule": 3600, "options": {"expires": 3600}},
    "stamp": {"task": "spine.tasks.stamp", "schedule": TSA_SECONDS, "options": {"expires": TSA_SECONDS}},
    "depart": {"task": "spine.tasks.depart", "schedule": 60, "options": {"expires": 60}},
    "verify": {
        "task": "spine.tasks.verify_daily",
        "schedule": crontab(hour=VERIFY_HOUR, minute=17),
        "options": {"expires": 3600},
    },
    "sequence": {
        "task": "spine.tasks.sequence",
        "schedule": SEQUENCE_SECONDS,
        "options": {"expires": SEQUENCE_SECONDS * 2},
    },
    "compare": {
        "task": "cases.tasks.verify_due",
        "schedule": VERIFY_SECONDS,
        "options": {"expires": VERIFY_SECONDS * 2},
    },
    "feeds": {"task": "detection.tasks.pull_due_feeds", "schedule": 60, "options": {"expires": 60}},
    "runs": {"task": "detection.tasks.run_due_sources", "schedule": 60, "options": {"expires": 60}},
    "simulations": {"task": "detection.tasks.tidy_simulations", "schedule": 600, "options": {"expires": 1200}},
    "groups": {"task": "detection.tasks.sweep_groups", "schedule": 15, "options": {"expires": 30}},
    "detectors": {"task": "detection.tasks.hear_detectors", "schedule": 60, "options": {"expires": 60}},
    "keys": {"task": "detection.tasks.look_at_keys", "schedule": 300, "options": {"expires": 300}},
    "webhooks": {"task": "cases.tasks.send_due_webhooks", "schedule": 15, "options": {"expires": 30}},
    "notices": {"task": "cases.tasks.mail_due_notices", "schedule": 60, "options": {"expires": 60}},
    "clocks": {"task": "cases.tasks.look_at_clocks", "schedule": 3600, "options": {"expires": 3600}},
    "webhooks_tidy": {"task": "cases.tasks.tidy_webhooks", "schedule": 3600, "options": {"expires": 3600}},
    "wake": {"task": "cases.tasks.wake_leads", "schedule": 60, "options": {"expires": 60}},
    "precision": {"task": "cases.tasks.measure_precision", "schedule": 600, "options": {"expires": 600}},
    "uploads": {"task": "cases.tasks.sweep_uploads", "schedule": 600, "options": {"expires": 1200}},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "people.authentication.BearerAuthentication",
        "people.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["people.authentication.DeniedByDefault"],
    "DEFAULT_PARSER_CLASSES": ["spine.api.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "spine.api.CursorPages",
    "PAGE_SIZE": 50,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "spine.problems.problem",
    "UNAUTHENTICATED_USER": "people.models.nobody",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Retort",
    "DESCRIPTION": "Suspected model-extraction incidents: findings in, cases judged, sealed dossiers out.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "config.examples.complete"],
    "ENUM_NAME_OVERRIDES": {
        "Role": "people.models.Role",
        "VerdictValue": "cases.vocabulary.VerdictValue",
        "BrokerAnswerValue": "cases.models.deconfliction.AnswerValue",
        "LeadState": "cases.models.lead.LeadState",
        "LeadDecisionKind": "cases.models.lead.LeadDecision.Kind",
        "AlternativeState": "cases.vocabulary.AlternativeState",
        "CaseStatus": "cases.models.case.CaseStatus",
        "JobState": "spine.models.JobState",
        "FeedKind": "detection.models.FeedKind",
        "MeasureUnit": "detection.records.Unit",
        "FeedState": "detection.api.feeds.STATES",
        "FeedPullState": "detection.models.FeedPull.State",
        "NewerVersionAnswerKind": "cases.models.versions.NewerVersionAnswer.Kind",
        "RunChangeKind": "detection.run_changes.ChangeKind",
        "RunEvery": "detection.models.RunEvery",
        "TelemetryFileKind": "detection.models.FileKind",
        "AddableKind": "cases.kinds.ADDABLE_CHOICES",
        "UploadState": "cases.models.upload.UploadState",
        "CitationKind": ["finding", "evidence", "cluster", "timeline_note"],
        "DossierState": ["draft", "approved", "sealed"],
        "MarkingEnum": "cases.vocabulary.Marking",
        "HoldState": ["standing", "released"],
        "DisclosureState": ["asked", "released", "recalled", "withdrawn"],
        "DisclosureNoteKind": "cases.models.disclosure.DisclosureNote.Kind",
        "RecipientKind": "cases.models.disclosure.RecipientKind",
        "DisclosedClass": "cases.models.disclosure.DisclosedClass",
        "KeptClass": "cases.models.destruction.Kept",
        "DestructionKind": "spine.models.Destruction.Kind",
        "ErasureKind": ["account", "exhibit", "custody", "timeline", "judgement", "citation", "answer"],
        "ClockState": ["unknown", "kept", "preserved", "held", "losing", "gone"],
        "PreservationAnswerKind": "cases.models.preservation.PreservationAnswer.Kind",
        "SourceDataClass": "detection.models.DataClass",
        "NoticeKind": "cases.notice_kinds.Kind",
        "NoticeWay": "cases.notice_kinds.Way",
        "WebhookState": "cases.api.webhooks.STATES",
        "DeliveryState": "cases.models.webhooks.DeliveryState",
        "DrawingState": "detection.api.drawings.STATES",
    },
}

LOGGING = logs.configuration(
    choice("RETORT_LOG_FORMAT", "line", logs.FORMATS), choice("RETORT_LOG_LEVEL", "INFO", logs.LEVELS)
)
