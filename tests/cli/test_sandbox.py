"""The fakes as processes of their own, served by the installed program until it is stopped."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

from loyalty_graph.clock import utc_now
from loyalty_graph.wallet.apple.answers import DELIVERED, Answer
from loyalty_graph.wallet.apple.apns import Apns
from loyalty_graph.wallet.apple.development_ca import IDENTITY, development_signer

PROGRAM = Path(sys.executable).with_name("loyalty-graph")


def test_the_fake_google_prints_its_settings_and_each_call_until_it_is_stopped(data_dir: Path):
    process = subprocess.Popen(
        [PROGRAM, "sandbox", "google", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(7)]
        settings = dict(
            line.removeprefix("export ").split("=") for line in lines if line.startswith("export ")
        )
        with urlopen(settings["LOYALTY_GOOGLE_KEYS_URL"]) as answer:  # noqa: S310 - our own
            keys = json.load(answer)
        called = process.stdout.readline().strip()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()

    account = Path(settings["LOYALTY_GOOGLE_SERVICE_ACCOUNT"])
    assert account == data_dir / "sandbox" / "google-service-account.json"
    assert account.stat().st_mode & 0o777 == 0o600
    assert json.loads(account.read_text())["token_uri"] == f"{settings['LOYALTY_GOOGLE_URL']}/token"
    assert settings["LOYALTY_GOOGLE_ISSUER_ID"] == "3388000000012345678"
    assert [one["protocolVersion"] for one in keys["keys"]] == ["ECv2SigningOnly"]
    assert called == "GET /gp/m/issuer/keys 200"
    assert (data_dir / "sandbox" / "google.json").exists()
    assert (process.returncode, out, err) == (0, "Stopped.\n", "")


def test_the_fake_apns_prints_its_settings_and_each_push_until_it_is_stopped(data_dir: Path):
    process = subprocess.Popen(
        [PROGRAM, "sandbox", "apns", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(5)]
        settings = dict(
            line.removeprefix("export ").split("=") for line in lines if line.startswith("export ")
        )
        signer = development_signer(data_dir / "development-ca", now=utc_now())
        root = Path(settings["LOYALTY_APNS_ROOT"])

        async def push() -> Answer:
            apns = Apns(settings["LOYALTY_APNS_URL"], lambda: signer, root=root)
            try:
                return await apns.send("a" * 60 + "b0b1")
            finally:
                await apns.close()

        answer = asyncio.run(push())
        pushed = process.stdout.readline().strip()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()

    assert answer == DELIVERED
    assert root == data_dir / "sandbox" / "apns-root.pem"
    assert pushed.split()[1:] == ["200", "device", "…b0b1", IDENTITY.pass_type_identifier]
    assert (process.returncode, out, err) == (0, "Stopped.\n", "")
