"""API keys as users have them: the first one is made beside a running `sfc dev`, which asks for keys from then on."""

from __future__ import annotations

from pathlib import Path

from sfc.cli import exits
from tests.acceptance.dev_process import dev, sfc, until


def test_a_day_with_keys(tmp_path: Path) -> None:
    data = str(tmp_path / "sfc")
    with dev("--data", data) as site:
        assert site.sfc("flows", "list").code == 0
        refused = site.sfc("keys", "create", "ops", "--role", "admin")
        assert (refused.code, "sfc keys create ops --role admin --local" in refused.err) == (exits.NOT_POSSIBLE, True)

        made = sfc("keys", "create", "ops", "--role", "admin", "--local", "--data", data)
        assert made.code == 0, made.err
        admin = made.out.strip()
        assert admin.startswith("sfc_")
        assert "SFC_API_KEY" in made.err
        until(lambda: site.sfc("flows", "list").code == exits.NOT_ALLOWED, "the key to be asked for")
        without = site.sfc("flows", "list")
        assert "SFC_API_KEY" in without.err

        def as_(key: str, *arguments: str) -> tuple[int, str, str]:
            return sfc(*arguments, SFC_URL=site.url, SFC_API_KEY=key)

        code, out, _ = as_(admin, "keys", "create", "board", "--role", "viewer")
        viewer = out.strip()
        assert code == 0
        until(lambda: as_(viewer, "flows", "list")[0] == 0, "the new key to be known")
        code, _, err = as_(viewer, "blueprints", "pause", "hello")
        assert code == exits.NOT_ALLOWED
        assert "needs the role operator, and the key board has the role viewer" in err
        code, _, err = as_("sfc_000000000000_x", "flows", "list")
        assert (code, "none of this gateway's" in err) == (exits.NOT_ALLOWED, True)
        code, _, err = as_(f"“{viewer}”", "flows", "list")
        assert code == exits.BAD_INPUT
        assert viewer not in err

        code, out, _ = as_(admin, "keys", "list")
        assert code == 0
        assert "board" in out
        assert viewer.split("_", 2)[2] not in out
        assert as_(admin, "keys", "revoke", "board")[1] == "revoked board\n"
        until(lambda: as_(viewer, "flows", "list")[0] == exits.NOT_ALLOWED, "the revoked key to end")
        shown = sfc("settings", SFC_API_KEY=admin)
        assert admin.split("_", 2)[2] not in shown.out + shown.err
        assert sfc("keys", "revoke", "ops", "--local", "--data", data).out == "revoked ops\n"
        assert [key["name"] for key in sfc("keys", "list", "--local", "--data", data, "--json").lines()] == ["board", "ops"]
    secrets = {key.split("_", 2)[2] for key in (admin, viewer)}
    assert not [secret for secret in secrets if secret in site.err]
    kept = b"".join(file.read_bytes() for file in Path(data).rglob("*") if file.is_file())
    assert not [secret for secret in secrets if secret.encode() in kept]
