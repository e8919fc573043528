"""How guessable a password is, by zxcvbn's own word lists (Wheeler, USENIX Security 2016); nothing is asked outside."""

from typing import Any

from django.core.exceptions import ValidationError

ENOUGH = 3  # of 4: at least 10^8 guesses
LONGEST = 72  # zxcvbn reads no more; what follows makes a password no weaker
OURS = ("retort", "distillation", "extraction", "dossier")


class StrengthValidator:
    """Refuses a password that a guesser would find soon, knowing the person's names and ours."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raises ValidationError with what makes it weak and what would help."""
        from zxcvbn import zxcvbn  # some megabytes of words that most processes never need

        known = [*OURS, getattr(user, "username", ""), *str(getattr(user, "display_name", "")).split()]
        found = zxcvbn(password[:LONGEST], user_inputs=[word for word in known if word])
        if found["score"] >= ENOUGH:
            return
        said = found["feedback"]
        hints = [said["warning"], *said["suggestions"]]
        words = " ".join(f"{hint.rstrip('.')}." for hint in hints if hint)
        raise ValidationError(f"This password would be guessed too soon. {words}".strip(), code="password_too_weak")

    def get_help_text(self) -> str:
        """What a form says beside the field."""
        return "Several unrelated words are harder to guess than signs put into one."
