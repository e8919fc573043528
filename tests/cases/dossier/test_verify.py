"""verify.py: what it accepts, what it refuses and how it names it, beside the programs that others would use."""

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from cases.dossier import bag
from cases.dossier.package_files import verify
from cases.dossier.verify import verify_package
from spine import canonical, checkpoint
from tests.cases.dossier import mutants, packages
from tests.cases.dossier.packages import FINGERPRINT, INFO, NAME, PAYLOAD, SNAPSHOT, sealed, spread, zipped

PROGRAM = Path(verify.__file__)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return sealed(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    payload = {**PAYLOAD, "data/dossier.json": b'{"statements":["older"]}'}
    return sealed(tmp_path_factory.mktemp("other"), payload=payload)


@pytest.fixture
def folder(sample, tmp_path):
    return spread(sample.files, tmp_path)


def run(*arguments, program=PROGRAM, cwd=None, path="/usr/bin:/bin"):
    command = [sys.executable, "-I", "-S", str(program), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={"PATH": path, "LC_ALL": "C.UTF-8"})


def failed(report):
    return [(line.subject, line.text) for line in report.failures]


# What is accepted


def test_zip_and_folder_are_accepted_with_the_key(sample, folder):
    for path in (sample.package.path, folder):
        report = verify_package(path, FINGERPRINT)
        assert (failed(report), report.accepted, report.bag) == ([], True, NAME)
        assert (report.fingerprint, report.key_compared) == (FINGERPRINT, True)


def test_program_run_inside_the_folder_checks_it_and_asks_for_the_key(folder):
    done = run(program=folder / "verify.py", cwd="/")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"ACCEPTED  {NAME}: every check holds"
    assert f"key    {FINGERPRINT}\n" in done.stdout
    assert "taken from inside the package" in done.stdout
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        {name.split("/")[0] for name in packages_files(folder)}
    )


def packages_files(folder):
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def test_program_with_the_key_as_typed_from_paper_says_nothing_of_comparing(sample):
    typed = " ".join(FINGERPRINT[at : at + 8].upper() for at in range(0, 64, 8))
    done = run("--key", typed, sample.package.path)
    assert (done.returncode, "taken from inside" in done.stdout) == (0, False)


def test_json_report_says_the_same(sample):
    done = run("--json", sample.package.path)
    report = json.loads(done.stdout)
    assert (done.returncode, report["accepted"], report["key_compared"]) == (0, True, False)
    assert report["lines"] == [line._asdict() for line in verify_package(sample.package.path).lines]


def test_program_reads_by_the_grammar_of_python_3_8():
    ast.parse(PROGRAM.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_program_stands_on_the_standard_library_alone():
    tree = ast.parse(PROGRAM.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names <= {*sys.stdlib_module_names}


# What is refused


def test_key_of_someone_else_is_refused(sample):
    done = run("--key", "0" * 64, sample.package.path)
    assert done.returncode == 1
    assert "FAILED seal/checkpoint.txt: the key does not have the fingerprint that was given\n" in done.stdout


def test_package_sealed_anew_by_a_forger_is_refused_by_the_key_alone(tmp_path):
    plan = bag.plan_bag(NAME, SNAPSHOT, {"data/forged.txt": b"forged"}, INFO)
    proof = packages.proof(packages.seal_row(plan), key=packages.OTHER_KEY)
    forged = bag.write_zip(plan, bag.seal_files(plan, proof), tmp_path / "forged.zip")
    assert failed(verify_package(forged.path, FINGERPRINT)) == [
        ("seal/checkpoint.txt", "the key does not have the fingerprint that was given")
    ]
    assert not verify_package(forged.path).key_compared


def test_draft_is_refused_as_never_sealed(tmp_path):
    plan = bag.plan_bag(NAME, SNAPSHOT, PAYLOAD, INFO)
    report = verify_package(bag.write_zip(plan, {}, tmp_path / "draft.zip").path)
    assert ("seal", "is missing: this package was never sealed, as a draft is not") in failed(report)


def test_changed_file_is_named_with_its_manifest(folder):
    (folder / "data/dossier.pdf").write_bytes(b"changed")
    assert failed(verify_package(folder, FINGERPRINT)) == [
        ("data/dossier.pdf", "its SHA-256 is not the one in manifest-sha256.txt"),
        ("manifest-sha256.txt", "disagrees with 1 of the files"),
        ("bag-info.txt", "Payload-Oxum is not the payload's size and number of files"),
    ]


def test_links_and_strange_files_in_a_folder_are_named_and_not_followed(folder):
    target = folder.parent / "outside"
    target.write_bytes((folder / "data/dossier.pdf").read_bytes())
    (folder / "data/dossier.pdf").unlink()
    (folder / "data/dossier.pdf").symlink_to(target)
    (folder / "data/linked").symlink_to(folder / "seal", target_is_directory=True)
    (folder / "data/empty").mkdir()
    os.mkfifo(folder / "data/pipe")
    found = failed(verify_package(folder, FINGERPRINT))
    assert found[:4] == [
        ("data/dossier.pdf", "is a link"),
        ("data/empty", "is an empty folder"),
        ("data/linked", "is a link"),
        ("data/pipe", "is not an ordinary file"),
    ]
    assert ("data/dossier.pdf", "is listed in manifest-sha256.txt but is not there") in found


def test_folder_with_another_name_is_refused(folder):
    renamed = folder.rename(folder.with_name("RT-2026-K7Q4M-counsel-v2"))
    assert [subject for subject, _ in failed(verify_package(renamed, FINGERPRINT))] == ["seal/statement.json"]


def test_folder_nested_without_end_is_refused(tmp_path):
    (tmp_path / "/".join(["d"] * 200)).mkdir(parents=True)
    assert any(text == "lies too deep" for _, text in failed(verify_package(tmp_path)))


def test_name_that_would_forge_a_line_is_shown_escaped(sample, tmp_path):
    (tmp_path / "x.zip").write_bytes(zipped({**sample.files, "data/x\nACCEPTED  all\u202e": b""}))
    done = run(tmp_path / "x.zip")
    assert done.returncode == 1
    assert r"FAILED data/x\nACCEPTED  all\u202e:" in done.stdout


@pytest.mark.parametrize("arguments", [["--key", "abc"], ["--nonsense"], ["no such file"], ["a", "b"]])
def test_wrong_usage_is_exit_code_2(arguments, tmp_path):
    assert run(*arguments, cwd=tmp_path).returncode == 2


def test_what_is_no_package_is_refused(tmp_path):
    for content in (b"", b"PK", b"PK\5\6" + b"\0" * 18, b"\xff" * 200):
        (tmp_path / "x.zip").write_bytes(content)
        assert [line.subject for line in verify_package(tmp_path / "x.zip").failures] == ["x.zip"]


# Mutants


def refusal_names(mutant, place):
    """Whether the mutant is refused, with a line that names the file."""
    place.unlink(missing_ok=True)  # to write over a file can wait for the disk
    place.write_bytes(mutant.content)
    report = verify_package(place, FINGERPRINT)
    named = " ".join(f"{line.subject} {line.text}" for line in report.failures)
    return not report.accepted and (mutant.named in named or mutant.instead in named)


def survivors(found, tmp_path, at_least):
    place, count, missed = tmp_path / mutants.ZIP, 0, []
    for mutant in found:
        count += 1
        if not refusal_names(mutant, place):
            missed.append(mutant.what)
    assert count >= at_least
    return missed


def test_every_changed_byte_of_content_is_refused_and_the_file_named(sample, tmp_path):
    found = mutants.content_flips(sample, mutants.spread_out(60), bit=0)
    assert survivors(found, tmp_path, at_least=1200) == []


def test_every_changed_byte_of_the_container_is_refused_and_named(sample, tmp_path):
    content = sample.package.path.read_bytes()
    found = mutants.raw_flips(content, mutants.outside_content(content), bit=5)
    assert survivors(found, tmp_path, at_least=1800) == []


def test_files_added_dropped_renamed_exchanged_or_of_another_package_are_refused(sample, other, tmp_path):
    assert survivors(mutants.of_files(sample, other), tmp_path, at_least=100) == []


def test_manifests_in_another_form_are_refused(sample, tmp_path):
    assert survivors(mutants.of_manifests(sample), tmp_path, at_least=50) == []


def test_proofs_bent_at_any_link_are_refused(sample, tmp_path):
    assert survivors(mutants.of_proofs(sample), tmp_path, at_least=60) == []


def test_containers_in_another_form_are_refused(sample, tmp_path):
    assert survivors(mutants.of_container(sample.package.path.read_bytes()), tmp_path, at_least=15) == []


def test_names_that_no_package_has_are_refused(sample, tmp_path):
    assert survivors(mutants.of_names(sample), tmp_path, at_least=15) == []


# Beside other programs


def independent(folder):
    """What bagit.py and sha256sum say: exit codes."""
    command = [sys.executable, "-m", "bagit", "--validate", "--quiet", str(folder)]
    other = subprocess.run(command, capture_output=True).returncode
    files = ["manifest-sha256.txt", "tagmanifest-sha256.txt"]
    sums = subprocess.run(
        ["sha256sum", "--quiet", "--strict", "-c", *files], cwd=folder, capture_output=True
    ).returncode
    return other == 0, sums == 0


def test_independent_programs_accept_what_is_accepted(folder):
    assert independent(folder) == (True, True)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("data/dossier.pdf", b"x"),
        ("data/dossier.json", None),
        ("seal/statement.json", b"{}"),
        ("bag-info.txt", b"A: b\n"),
        ("manifest-sha256.txt", b"0" * 64 + b"  data/dossier.pdf\n"),
        ("verify.py", b"print('ACCEPTED')\n"),
    ],
)
def test_independent_programs_refuse_what_is_refused(folder, path, content):
    (folder / path).unlink() if content is None else (folder / path).write_bytes(content)
    assert independent(folder) == (False, False)
    assert run("--key", FINGERPRINT, folder).returncode == 1


# Parts


@given(st.binary(max_size=60), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_signatures_hold_exactly_where_another_implementation_says_so(message, seed):
    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"%d" % seed).digest())
    public, signature = checkpoint.public_bytes(key), key.sign(message)
    assert verify.ed25519_holds(public, message, signature)
    for position, bit in ((seed % 64, seed % 8), (63, 7), (31, 7)):
        bent = bytearray(signature)
        bent[position] ^= 1 << bit
        assert verify.ed25519_holds(public, message, bytes(bent)) == holds(public, message, bytes(bent)) is False
    assert not verify.ed25519_holds(public, message + b"x", signature)


def holds(public, message, signature):
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def test_signature_of_the_published_vectors_holds():
    """RFC 8032, section 7.1, tests 2 and 3."""
    vectors = [
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ]
    for public, message, signature in vectors:
        assert verify.ed25519_holds(bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature))


def test_loose_encodings_of_signature_and_key_are_refused():
    message, key = b"message", packages.KEY
    public, signature = checkpoint.public_bytes(key), key.sign(message)
    scalar = int.from_bytes(signature[32:], "little") + verify.L
    assert not verify.ed25519_holds(public, message, signature[:32] + scalar.to_bytes(32, "little"))
    for encoded in (verify.P.to_bytes(32, "little"), (verify.P + 1).to_bytes(32, "little"), b"\xff" * 32):
        assert verify._point(encoded) is None
    assert verify._point((1 | 1 << 255).to_bytes(32, "little")) is None  # x = 0 with a sign
    assert not verify.ed25519_holds(public[:31], message, signature)
    assert not verify.ed25519_holds(public, message, signature + b"\0")


json_without_fractions = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)


@given(json_without_fractions)
def test_canonical_form_is_the_one_the_log_writes(value):
    with suppress(ValueError):  # keys with lone surrogates have no form
        assert verify.canonical(canonical.canonical_json(value), "x") == value


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b" 1", b"1 ", b"1.0", b"1e2", b"01", b"-0", b"NaN", b"\xff", b"\xef\xbb\xbf1", b"9007199254740992"),
        *(
            b'{"b":1,"a":2}',
            b'{"a":1,"a":1}',
            b'{"a": 1}',
            b'"\\u0041"',
            b'"\\/"',
            b'"\\ud800"',
            b"[" * 100_000,
            b"1" * 5000,
        ),
    ],
)
def test_json_in_any_other_form_is_refused(raw):
    with pytest.raises(verify.Refused):
        verify.canonical(raw, "x")


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=60).map(lambda tail: b"PK\5\6" + tail)))
@settings(max_examples=150)
def test_readers_of_hostile_bytes_refuse_and_never_break(raw):
    text = raw.decode("utf-8", "replace")
    for read in (
        lambda: verify.canonical(raw, "x"),
        lambda: verify.read_manifest(text, "x"),
        lambda: verify.read_info(text, "x"),
        lambda: verify.read_note(text, "x"),
        lambda: verify.read_token(raw),
    ):
        with suppress(verify.Refused):
            read()


@given(st.text(alphabet="0123456789abcdef \n/data", max_size=200))
def test_manifest_accepted_is_the_one_form_of_what_it_says(text):
    with suppress(verify.Refused):
        listed = verify.read_manifest(text, "x")
        assert "".join(f"{listed[path]}  {path}\n" for path in sorted(listed, key=str.encode)) == text


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_zip_of_arbitrary_changes_is_refused(tmp_path_factory, sample, data):
    content = sample.package.path.read_bytes()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 64)))
    changed = content[:start] + data.draw(st.binary(max_size=64)) + content[end:]
    place = tmp_path_factory.getbasetemp() / mutants.ZIP
    place.write_bytes(changed)
    assert verify_package(place, FINGERPRINT).accepted == (changed == content)


# Time-stamp tokens

openssl_needed = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
AUTHORITY = """
[ca]
basicConstraints = critical,CA:TRUE
[tsa]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[req]
distinguished_name = dn
[dn]
[stamp]
serial = {0}/serial
signer_cert = {0}/tsa.pem
signer_key = {0}/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A time-stamp authority of our own: `stamp(bytes)` gives a response, `chain` its root."""
    home = tmp_path_factory.mktemp("authority")
    (home / "cnf").write_text(AUTHORITY.format(home))
    (home / "serial").write_text("01\n")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=home, check=True, capture_output=True)

    new = ["req", "-config", "cnf", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(
        *new, "-x509", "-days", "9", "-subj", "/CN=Root", "-extensions", "ca", "-keyout", "ca.key", "-out", "ca.pem"
    )
    openssl(*new, "-subj", "/CN=Stamp", "-keyout", "tsa.key", "-out", "tsa.csr")
    signed = [
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "9",
        "-extfile",
        "cnf",
        "-extensions",
        "tsa",
    ]
    openssl("x509", "-req", "-in", "tsa.csr", *signed, "-out", "tsa.pem")

    def stamp(content):
        (home / "data").write_bytes(content)
        openssl("ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "query")
        openssl("ts", "-reply", "-config", "cnf", "-section", "stamp", "-queryfile", "query", "-out", "reply")
        return (home / "reply").read_bytes()

    stamp.chain = (home / "ca.pem").read_bytes()
    return stamp


def stamped(folder, authority, chain, stamp_on=None):
    plan = bag.plan_bag(NAME, SNAPSHOT, PAYLOAD, INFO | bag.time_stamp_info(chain))
    proof = packages.proof(packages.seal_row(plan))
    note = json.loads(proof)["checkpoint"].encode()
    seal = bag.seal_files(plan, proof, authority(stamp_on or note), chain)
    return bag.write_zip(plan, seal, folder / f"{NAME}.zip").path


@openssl_needed
def test_token_is_confirmed_by_openssl_and_by_hand(authority, tmp_path):
    package = stamped(tmp_path, authority, authority.chain)
    texts = [line.text for line in verify_package(package, FINGERPRINT).lines if line.subject == "seal/timestamp.tsr"]
    assert verify_package(package, FINGERPRINT).accepted
    assert texts[1] == "openssl confirms its signature by the chain in the package, at the token's own time"
    folder = spread(packages.unzip(package), tmp_path)
    by_hand = ["ts", "-verify", "-data", "checkpoint.txt", "-in", "timestamp.tsr", "-CAfile", "tsa-chain.pem"]
    assert subprocess.run(["openssl", *by_hand], cwd=folder / "seal", capture_output=True).returncode == 0


@openssl_needed
def test_token_without_openssl_or_chain_is_said_to_be_unchecked(authority, tmp_path):
    done = run(stamped(tmp_path, authority, authority.chain), path="/nonexistent")
    assert (done.returncode, "token signature not checked: there is no openssl here" in done.stdout) == (0, True)
    done = run(stamped(tmp_path / "bare", authority, None))
    assert (done.returncode, "not checked: the package has no certificate chain" in done.stdout) == (0, True)


@openssl_needed
def test_token_about_something_else_is_refused(authority, tmp_path):
    report = verify_package(stamped(tmp_path, authority, authority.chain, stamp_on=b"something else"), FINGERPRINT)
    assert failed(report) == [("seal/timestamp.tsr", "is about something else than seal/checkpoint.txt")]


@openssl_needed
def test_token_of_a_foreign_authority_is_refused(authority, tmp_path):
    report = verify_package(stamped(tmp_path, authority, b"-----BEGIN NOTHING-----\n"), FINGERPRINT)
    assert [subject for subject, _ in failed(report)] == ["seal/timestamp.tsr"]


@openssl_needed
def test_token_or_chain_dropped_and_listed_anew_is_refused(authority, tmp_path):
    files = packages.unzip(stamped(tmp_path, authority, authority.chain))
    for dropped in (["seal/timestamp.tsr"], ["seal/tsa-chain.pem"], ["seal/timestamp.tsr", "seal/tsa-chain.pem"]):
        left = packages.retagged({path: content for path, content in files.items() if path not in dropped})
        (tmp_path / "x.zip").write_bytes(zipped(left))
        assert dropped[0] in [subject for subject, _ in failed(verify_package(tmp_path / "x.zip", FINGERPRINT))]


@openssl_needed
def test_token_cut_or_lengthened_anywhere_is_refused(authority):
    token = authority(b"note")
    assert verify.read_token(token)[2] == hashlib.sha256(b"note").digest()
    for end in range(len(token)):
        with pytest.raises(verify.Refused):
            verify.read_token(token[:end])
    with pytest.raises(verify.Refused):
        verify.read_token(token + b"\0")
