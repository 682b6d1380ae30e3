"""No secret that was registered gets past the mask: not as an argument of a log call, not in an exception."""

import io
import logging
import sys
from collections.abc import Iterator

import pytest

from blocks.remote import secrets
from blocks.remote.errors import RunbookError
from blocks.remote.secrets import MASK, MaskingFilter, install_mask, mask, register


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger with a handler that masks, and what comes out of it."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(MaskingFilter())
    logger = logging.getLogger("tests.masked")
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, out
    logger.removeHandler(handler)


def test_a_secret_is_masked_wherever_it_stands(secret: str) -> None:
    assert mask(f"-p{secret} and {secret}.") == f"-p{MASK} and {MASK}."


def test_what_is_no_secret_stays(secret: str) -> None:
    assert mask("step 12 on controller-0") == "step 12 on controller-0"


def test_a_longer_secret_that_contains_a_shorter_one_is_masked_whole(secret: str) -> None:
    register(secret + "-and-more")
    assert mask(f"it is {secret}-and-more") == f"it is {MASK}"


@pytest.mark.parametrize("short", ["", "a", "abc"])
def test_a_short_value_is_not_masked_since_it_would_shred_every_line(secret: str, short: str) -> None:
    assert register(short) == short
    assert mask("abc aaa") == "abc aaa"


def test_register_returns_the_secret(secret: str) -> None:
    assert register("another one") == "another one"


def test_an_argument_of_a_log_call_is_masked(secret: str, log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, out = log
    logger.warning("%s on %s: %r", secret, "controller-0", {"password": secret})
    assert secret not in out.getvalue()
    assert "controller-0" in out.getvalue()


def test_a_message_without_arguments_may_hold_percent_signs(
    secret: str, log: tuple[logging.Logger, io.StringIO]
) -> None:
    logger, out = log
    logger.warning(f"100% of {secret}")
    assert out.getvalue() == f"100% of {MASK}\n"


def test_a_secret_in_an_exception_is_masked(secret: str, log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, out = log
    try:
        raise ValueError(f"access denied using {secret}")
    except ValueError:
        logger.exception("the step failed")
    assert "the step failed" in out.getvalue()
    assert f"ValueError: access denied using {MASK}" in out.getvalue()
    assert secret not in out.getvalue()


def test_a_secret_in_the_cause_of_an_exception_is_masked(secret: str, log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, out = log
    try:
        try:
            raise OSError(secret)
        except OSError as error:
            raise ValueError("no secret here") from error
    except ValueError:
        logger.exception("failed")
    assert secret not in out.getvalue()
    assert "no secret here" in out.getvalue()


def test_an_exception_without_a_secret_keeps_its_traceback(
    secret: str, log: tuple[logging.Logger, io.StringIO]
) -> None:
    logger, out = log
    try:
        raise ValueError("nothing to hide")
    except ValueError:
        logger.exception("failed")
    assert "Traceback" in out.getvalue()


def test_every_record_passes(secret: str) -> None:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, secret, None, None)
    assert MaskingFilter().filter(record) is True


def test_the_mask_lies_on_every_handler_once() -> None:
    logger, handler = logging.getLogger("prefect.flow_runs"), logging.NullHandler()
    logger.addHandler(handler)
    try:
        install_mask()
        install_mask()
        assert [type(one) for one in handler.filters] == [secrets.MaskingFilter]
    finally:
        logger.removeHandler(handler)


@pytest.mark.parametrize(
    "address",
    [
        "http://heat:8000/v1/signal/arn%3Ax?SignatureMethod=HmacSHA256&SignatureVersion=2&Signature={}",
        "http://heat:8000/v1/signal/arn%3Ax?Signature={}&SignatureVersion=2",
        "https://store/a/b?X-Amz-Signature={}&x=1",
        "https://store/a/b?temp_url_sig={}&temp_url_expires=9",
    ],
)
def test_the_signature_of_an_address_is_masked_though_nobody_registered_it(address: str) -> None:
    signed = address.format("4NxsRz%2Bqc0/tW=")
    assert mask(f'{{"url": "{signed}"}}') == f'{{"url": "{address.format(MASK)}"}}'


@pytest.mark.parametrize("text", ["SignatureMethod=HmacSHA256", "SignatureVersion=2", "DesignSignature=x", "Signature"])
def test_what_only_speaks_of_signatures_stays(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(("error", "shown"), [(RunbookError("the dump is empty"), False), (KeyError("a defect"), True)])
def test_the_traceback_of_an_error_that_is_raised_on_purpose_is_left_to_the_debug_level(
    error: Exception, shown: bool
) -> None:
    for level in (logging.ERROR, logging.DEBUG):
        try:
            raise error
        except type(error):
            record = logging.LogRecord("x", level, __file__, 1, "failed: %r", (error,), sys.exc_info())
        MaskingFilter().filter(record)
        text = logging.Formatter().format(record)
        assert ("Traceback" in text) is (shown or level == logging.DEBUG)
        assert str(error) in text
