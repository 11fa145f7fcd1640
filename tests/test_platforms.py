"""What is deployed on each platform: rendered, of the published shape, and true to job, wheel and configuration."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from arm import Deployment

from alertgraph_spark import __version__
from alertgraph_spark.access.principal import Principal
from alertgraph_spark.access.secret import Reference, parse_reference
from alertgraph_spark.commands.arguments import arguments
from alertgraph_spark.config.loading import load_settings

REPO = Path(__file__).parent.parent
DEPLOY = REPO / "deploy"
SETUP = (REPO / "setup.py").read_text(encoding="utf-8")
ZEROS = re.compile(r"EXAMPLE|00000000-0000|dcr-0{8}")


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


RENDER = load(DEPLOY / "render.py")

VALUES = {
    **{"subscription": "11111111-2222-3333-4444-555555555555", "resource_group": "soc", "location": "northeurope"},
    **{"workspace": "soc-synapse", "pool": "alerts", "export_account": "socexport", "results_account": "socresults"},
    **{"endpoint": "https://soc-x1.northeurope-1.ingest.monitor.azure.com", "machine_learning": "soc-ml"},
    **{"dcr_id": "dcr-0123456789abcdef0123456789abcdef", "vault": "soc-vault", "version": __version__},
    **{"tenant_id": "22222222-3333-4444-5555-666666666666", "client_id": "33333333-4444-5555-6666-777777777777"},
    **{"every_minutes": 30, "last": "36h", "start_time": "2026-03-01T00:00:00Z"},
}


@pytest.fixture(scope="module")
def synapse() -> dict[str, Any]:
    made = RENDER.render("synapse", VALUES)
    return {name: json.loads(text) if name.endswith(".json") else text for name, text in made.items()}


# --- Synapse


def test_the_values_to_fill_in_are_those_that_are_used() -> None:
    given = yaml.safe_load((DEPLOY / "synapse" / "values.yaml").read_text(encoding="utf-8"))

    assert set(given) == set(VALUES)
    assert given["version"] == __version__


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"pool": None}, "pool is missing"),
        ({"pols": "alerts"}, "pols is used nowhere"),
        ({"vault": "EXAMPLE"}, "vault is still EXAMPLE"),
        ({"dcr_id": "dcr-00000000000000000000000000000000"}, "dcr_id is still dcr-0000"),
    ],
    ids=["missing", "mistyped", "an example", "zeros"],
)
def test_values_that_are_not_complete_are_refused(change: dict[str, Any], says: str) -> None:
    values = {name: value for name, value in (VALUES | change).items() if value is not None}

    with pytest.raises(ValueError, match=says):
        RENDER.render("synapse", values)


def test_nothing_is_left_to_fill_in(synapse: dict[str, Any]) -> None:
    assert [name for name, made in synapse.items() if ZEROS.search(str(made)) or "${" in str(made)] == []


KINDS = {
    "spark_job_definition.json": ("SparkJobDefinitionResource", "SparkJobDefinition"),
    "pipeline.json": ("PipelineResource", "PipelineResource"),
    "trigger.json": ("TriggerResource", "ScheduleTrigger"),
    "linked_service_export.json": ("LinkedServiceResource", "AzureBlobFSLinkedService"),
    "linked_service_vault.json": ("LinkedServiceResource", "AzureKeyVaultLinkedService"),
}


def unknown_in(model: Any) -> dict[str, Any]:
    """What a model of the SDK holds without knowing it, at any depth."""
    found = dict(getattr(model, "additional_properties", None) or {})
    for value in vars(model).values():
        for item in value if isinstance(value, list) else [value]:
            if hasattr(item, "_attribute_map"):
                found |= unknown_in(item)
    return found


@pytest.mark.parametrize("name", KINDS)
def test_what_is_put_has_the_published_shape(synapse: dict[str, Any], name: str) -> None:
    models = pytest.importorskip("azure.synapse.artifacts.models")
    resource, kind = KINDS[name]

    read = getattr(models, resource).deserialize(deepcopy(synapse[name]))  # it takes things out of what it is given
    written = read.serialize(keep_readonly=True)

    assert type(getattr(read, "properties", read)).__name__ == kind
    # The SDK does not know pyFiles, which the service's own example has.
    assert set(unknown_in(read)) == ({"pyFiles"} if kind == "SparkJobDefinition" else set())
    assert json.dumps(written, sort_keys=True).replace("00.000Z", "00Z") == json.dumps(synapse[name], sort_keys=True)


def test_the_published_shape_knows_a_mistyped_field(synapse: dict[str, Any]) -> None:
    models = pytest.importorskip("azure.synapse.artifacts.models")
    definition = deepcopy(synapse["spark_job_definition.json"])
    job = definition["properties"]["jobProperties"]
    job["driverCore"] = job.pop("driverCores")

    read = models.SparkJobDefinitionResource.deserialize(definition)

    assert set(unknown_in(read)) == {"pyFiles", "driverCore"}
    assert read.properties.job_properties.driver_cores is None


def test_the_job_gets_the_files_that_make_dist_builds(synapse: dict[str, Any]) -> None:
    job = synapse["spark_job_definition.json"]["properties"]["jobProperties"]
    app = "abfss://alertgraph-app@socresults.dfs.core.windows.net"

    assert job["file"] == f"{app}/{__version__}/rank_alerts.py"
    assert job["pyFiles"] == [f"{app}/{__version__}/alertgraph_spark-{__version__}.zip"], (
        "a wheel is not imported there"
    )
    assert job["files"] == [f"{app}/conf/synapse.yaml"]
    assert arguments("", job["args"]).config == Path("synapse.yaml"), "in the working directory of a cluster's driver"


def test_the_job_writes_nowhere_where_its_own_code_lies(synapse: dict[str, Any], tmp_path: Path) -> None:
    """Its identity may read the one container and write to the other, so a run cannot change what the next one is."""
    (tmp_path / "synapse.yaml").write_text(synapse["synapse.yaml"], encoding="utf-8")
    settings = load_settings(tmp_path / "synapse.yaml")
    job = synapse["spark_job_definition.json"]["properties"]["jobProperties"]
    page = (DEPLOY / "synapse" / "README.md").read_text(encoding="utf-8")

    read = {url.split("@")[0] for url in [job["file"], *job["pyFiles"], *job["files"]]}
    written = {url.split("@")[0] for url in [settings.results.path, *settings.spark.conf.values()]}
    assert (read, written) == ({"abfss://alertgraph-app"}, {"abfss://alertgraph"})
    assert '"Storage Blob Data Reader" --scope $CONTAINERS/alertgraph-app' in page
    assert '"Storage Blob Data Contributor" --scope $CONTAINERS/alertgraph\n' in page
    assert page.index("fs create -n $container") < page.index("fs file upload"), (
        "a container is made before it is filled"
    )


def test_every_setting_of_the_job_is_one_that_spark_takes(synapse: dict[str, Any]) -> None:
    """`spark-submit` drops a name that does not begin with `spark.`, and with it what opens the export."""
    conf = synapse["spark_job_definition.json"]["properties"]["jobProperties"]["conf"]

    assert [name for name in conf if not name.startswith("spark.")] == []
    provider = conf["spark.hadoop.fs.azure.account.oauth.provider.type.socexport.dfs.core.windows.net"]
    assert provider == "com.microsoft.azure.synapse.tokenlibrary.LinkedServiceBasedTokenProvider"


def test_who_posts_from_synapse_is_a_service_principal(synapse: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "synapse.yaml").write_text(synapse["synapse.yaml"], encoding="utf-8")
    post = load_settings(tmp_path / "synapse.yaml").post
    reference = parse_reference(post.credential)

    assert post.principal == Principal(VALUES["tenant_id"], VALUES["client_id"])
    assert reference == Reference("keyvault", "soc-vault", "alertgraph-client-secret", "alertgraph_vault")
    assert reference.linked_service == synapse["linked_service_vault.json"]["name"]
    assert reference.name in (DEPLOY / "synapse" / "README.md").read_text(encoding="utf-8")


def test_the_configuration_is_rendered_with_the_same_names(synapse: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "synapse.yaml"
    file.write_text(synapse["synapse.yaml"], encoding="utf-8")

    settings = load_settings(file)

    assert settings.export.root == "abfss://{container}@socexport.dfs.core.windows.net"
    assert settings.results.path == "abfss://alertgraph@socresults.dfs.core.windows.net/runs"
    assert (settings.post.endpoint, settings.post.dcr_id) == (VALUES["endpoint"], VALUES["dcr_id"])
    assert settings.tracking.uri.startswith("azureml://northeurope.api.azureml.ms/mlflow/v1.0/subscriptions/11111111")
    assert settings.tracking.uri.endswith("workspaces/soc-ml")
    assert settings.spark.master is None


def test_every_reference_leads_to_something(synapse: dict[str, Any]) -> None:
    services = {synapse[name]["name"] for name in synapse if name.startswith("linked_service")}
    job = synapse["spark_job_definition.json"]
    pipeline, trigger = synapse["pipeline.json"], synapse["trigger.json"]
    (activity,) = pipeline["properties"]["activities"]
    (started,) = trigger["properties"]["pipelines"]

    conf = job["properties"]["jobProperties"]["conf"]
    assert conf["spark.storage.synapse.socexport.dfs.core.windows.net.linkedServiceName"] in services
    assert synapse["linked_service_export.json"]["properties"]["typeProperties"]["url"] == (
        "https://socexport.dfs.core.windows.net"
    )
    assert activity["type"] == "SparkJob"
    assert activity["typeProperties"]["sparkJob"] == {
        "referenceName": job["name"], "type": "SparkJobDefinitionReference"
    }  # fmt: skip
    assert started["pipelineReference"] == {"referenceName": pipeline["name"], "type": "PipelineReference"}
    asked = re.findall(r"@pipeline\(\)\.parameters\.(\w+)", json.dumps(activity))
    assert set(asked) == set(pipeline["properties"]["parameters"]) == set(started["parameters"])
    # As Synapse Studio itself writes what is computed, so that it shows it as such.
    args = [VALUES["last"] if isinstance(one, dict) else one for one in activity["typeProperties"]["args"]]
    assert [one["type"] for one in activity["typeProperties"]["args"] if isinstance(one, dict)] == ["Expression"]
    assert arguments("", args).last


def test_it_runs_every_n_minutes_and_never_twice_at_a_time(synapse: dict[str, Any]) -> None:
    recurrence = synapse["trigger.json"]["properties"]["typeProperties"]["recurrence"]

    assert (recurrence["frequency"], recurrence["interval"], recurrence["timeZone"]) == ("Minute", 30, "UTC")
    assert synapse["trigger.json"]["properties"]["type"] == "ScheduleTrigger"
    assert synapse["pipeline.json"]["properties"]["concurrency"] == 1


def test_the_pool_and_its_packages_are_of_one_spark(synapse: dict[str, Any]) -> None:
    (pool,) = Deployment(synapse["pool.json"], {}).of_type("Microsoft.Synapse/workspaces/bigDataPools")
    jars = [line for line in synapse["packages.txt"].splitlines() if not line.startswith("#")]
    properties = pool["properties"]

    assert pool["name"] == "soc-synapse/alerts"
    assert properties["sparkVersion"] == "3.5"
    assert sorted(jar.split("-0.12.3")[0] for jar in jars) == [
        "graphframes-graphx-spark3_2.12", "graphframes-spark3_2.12"
    ]  # fmt: skip
    assert properties["customLibraries"] == [
        {"name": jar, "path": f"soc-synapse/libraries/{jar}", "containerName": "prep", "type": "jar"} for jar in jars
    ], "named by the pool itself: to deploy it again takes none away"
    assert "graphframes-py==0.12.3" in properties["libraryRequirements"]["content"]
    assert "pyspark" not in properties["libraryRequirements"]["content"]
    hard = re.findall(r'"(\w+)[^"]*"', re.search(r"install_requires=\[(.*?)\]", SETUP, re.S)[1])  # type: ignore[index]
    brought = {"PyYAML"}  # by the runtime
    assert [name for name in hard if f"{name}==" not in properties["libraryRequirements"]["content"]] == sorted(
        brought
    ), "the zip of --py-files installs nothing"
    for line in properties["sparkConfigProperties"]["content"].splitlines():
        assert re.fullmatch(r"spark\.[\w.]+ \S+", line)


def test_a_pool_in_a_closed_network_asks_nothing_of_pypi(synapse: dict[str, Any]) -> None:
    wheels = ["azure_identity-1.27.0-py3-none-any.whl", "graphframes_py-0.12.3-py3-none-any.whl"]

    def pool(**given: Any) -> dict[str, Any]:
        (made,) = Deployment(synapse["pool.json"], given).of_type("Microsoft.Synapse/workspaces/bigDataPools")
        return dict(made["properties"])

    closed = pool(fromWorkspacePackages=wheels)
    assert closed["libraryRequirements"] is None
    assert [(one["name"], one["type"]) for one in closed["customLibraries"]][2:] == [(w, "whl") for w in wheels]
    assert pool(withGraphFrames=False)["customLibraries"] == []


def test_what_a_pool_or_a_cluster_installs_is_the_version_that_the_tests_ran_with(synapse: dict[str, Any]) -> None:
    lines = (REPO / "constraints.txt").read_text(encoding="utf-8").splitlines()
    tested = [line.partition(";")[0] for line in lines]
    job = yaml.safe_load((DEPLOY / "databricks/resources/alertgraph.job.yml").read_text(encoding="utf-8"))
    (task,) = job["resources"]["jobs"]["alertgraph"]["tasks"]
    pool = synapse["pool.json"]["variables"]["requirements"]["content"].splitlines()
    wanted = [*pool, *(library["pypi"]["package"] for library in task["libraries"] if "pypi" in library)]
    wanted += re.findall(r"\S+==\S+", synapse["packages.txt"])

    assert len(wanted) >= 5
    assert set(wanted) - set(tested) == {"typing_extensions>=4.6"}, "which the runtime has already"


def test_duckdb_is_installed_wherever_stages_run(synapse: dict[str, Any]) -> None:
    """No zip and no platform brings it. PyPI has no wheel of it for `manylinux2014`, which is what others are for."""
    (pin,) = re.findall(r"^duckdb==\S+(?=;)", (REPO / "constraints.txt").read_text(encoding="utf-8"), re.M)
    (fetch,) = re.findall(r"pip download .*", synapse["packages.txt"])

    for name in ("databricks/resources/alertgraph.job.yml", "fabric/README.md", "synapse/pool.json"):
        assert re.search(rf"{re.escape(pin)}\b", (DEPLOY / name).read_text(encoding="utf-8")), name
    assert f" {pin} " in fetch
    assert re.findall(r"--platform (\S+)", fetch) == ["manylinux_2_28_x86_64", "manylinux2014_x86_64"]


def test_the_runbook_names_every_file(synapse: dict[str, Any]) -> None:
    page = (DEPLOY / "synapse" / "README.md").read_text(encoding="utf-8")

    assert [name for name in synapse if name not in page] == []
    named = re.findall(r"^put (\w+) (\w+) (\w+)", page, re.M)
    assert [(synapse[f"{file}.json"]["name"].replace("_30_", "_60_"), file) for _, _, file in named] == [
        (name, file) for _, name, file in named
    ]


# --- Databricks


@pytest.fixture(scope="module")
def bundle() -> tuple[dict[str, Any], dict[str, Any]]:
    folder = DEPLOY / "databricks"
    main = yaml.safe_load((folder / "databricks.yml").read_text(encoding="utf-8"))
    (included,) = folder.glob(main["include"][0])
    job = yaml.safe_load(included.read_text(encoding="utf-8"))["resources"]["jobs"]["alertgraph"]
    return main, job


def test_every_variable_of_the_bundle_is_declared_and_used(bundle: tuple[dict[str, Any], dict[str, Any]]) -> None:
    used = set(re.findall(r"\$\{var\.(\w+)\}", str(bundle)))

    assert used == set(bundle[0]["variables"])
    assert all(variable["description"] for variable in bundle[0]["variables"].values())


def test_the_job_has_the_published_shape(bundle: tuple[dict[str, Any], dict[str, Any]]) -> None:
    jobs = pytest.importorskip("databricks.bundles.jobs")
    _, job = bundle

    assert jobs.Job.from_dict(job).as_dict() == job, "every field is known, and none is lost"
    (task,) = job["tasks"]
    with pytest.raises(ValueError, match="entry_pont"):
        jobs.Job.from_dict({"tasks": [task | {"python_wheel_task": {"package_name": "a", "entry_pont": "b"}}]})


def test_the_wheel_task_starts_what_the_wheel_has(bundle: tuple[dict[str, Any], dict[str, Any]]) -> None:
    main, job = bundle
    (task,) = job["tasks"]
    wheel = task["python_wheel_task"]

    assert wheel["package_name"].replace("_", "-") in SETUP
    assert f'"{wheel["entry_point"]} = alertgraph_spark.jobs.rank_alerts:cli"' in SETUP
    parameters = [re.sub(r"\$\{var\.last\}", "24h", text) for text in wheel["parameters"]]
    assert str(arguments("", parameters).config).startswith("/Volumes/")
    assert main["artifacts"]["alertgraph"]["build"] == "python ../make_dist.py --out dist"
    assert task["libraries"][0] == {"whl": "../dist/*.whl"}
    assert not [library for library in task["libraries"] if "graphframes" in str(library)], "the runtime has its own"


def test_the_cluster_can_run_graphframes_and_reads_secrets_by_reference(
    bundle: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    _, job = bundle
    (cluster,) = job["job_clusters"]
    new = cluster["new_cluster"]
    default = bundle[0]["variables"]["spark_version"]["default"]

    assert {task["job_cluster_key"] for task in job["tasks"]} == {cluster["job_cluster_key"]}
    assert "-ml-" in default
    assert new["data_security_mode"] == "SINGLE_USER"
    assert set(new["spark_env_vars"]) == {"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"}
    assert bundle[0]["targets"]["prod"]["run_as"]["service_principal_name"] == new["spark_env_vars"]["AZURE_CLIENT_ID"]
    secrets = {
        name: value
        for name, value in {**new["spark_env_vars"], **new["spark_conf"]}.items()
        if "secret" in name.lower()
    }
    assert set(secrets.values()) == {"{{secrets/${var.secret_scope}/client_secret}}"}


OAUTH = {
    "auth.type": "OAuth",
    "oauth.provider.type": "org.apache.hadoop.fs.azurebfs.oauth2.ClientCredsTokenProvider",
    "oauth2.client.id": "${var.service_principal}",
    "oauth2.client.secret": "{{secrets/${var.secret_scope}/client_secret}}",
    "oauth2.client.endpoint": "https://login.microsoftonline.com/${var.tenant_id}/oauth2/token",
}
"""What Hadoop's own connector needs to open one account as a service principal."""


def test_the_cluster_opens_every_account_that_the_configuration_names(
    bundle: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    """By Hadoop's settings: the JVM's file access, which lists and records, sees neither volumes nor external locations."""
    settings = load_settings(REPO / "conf" / "databricks.yaml")
    urls = [settings.export.root, settings.results.path, settings.spark.conf["spark.checkpoint.dir"]]
    conf = bundle[1]["job_clusters"][0]["new_cluster"]["spark_conf"]
    page = (DEPLOY / "databricks" / "README.md").read_text(encoding="utf-8")

    assert all(url.startswith("abfss://") for url in urls), "no volume: `No operations allowed on this path`"
    assert settings.export.root == "abfss://{container}@EXAMPLEEXPORT.dfs.core.windows.net"
    hosts = {url.split("@")[1].split("/")[0] for url in urls}
    assert {name: value for name, value in conf.items() if name.startswith("spark.hadoop.")} == {
        f"spark.hadoop.fs.azure.account.{key}.{host}": value for host in hosts for key, value in OAUTH.items()
    }
    assert [name for name in conf if "${" in name] == [], "a bundle fills in values, and no names"
    assert {f"s/{host.split('.')[0]}/" for host in hosts} <= set(re.findall(r"s/EXAMPLE\w+/", page))


def test_the_grants_are_for_what_the_task_reads(bundle: tuple[dict[str, Any], dict[str, Any]]) -> None:
    page = (DEPLOY / "databricks" / "README.md").read_text(encoding="utf-8")
    config = bundle[1]["tasks"][0]["python_wheel_task"]["parameters"][1]

    assert config == "/Volumes/${var.catalog}/alertgraph/conf/databricks.yaml"
    assert "volumes create CATALOG alertgraph conf" in page
    for grant in ("catalog:CATALOG:USE_CATALOG", "schema:CATALOG.alertgraph:USE_SCHEMA"):
        assert grant in page
    assert "volume:CATALOG.alertgraph.conf:READ_VOLUME" in page
    assert "schema `alertgraph` with the volume `conf`" in bundle[0]["variables"]["catalog"]["description"]


def test_the_job_is_scheduled_and_never_meets_itself(bundle: tuple[dict[str, Any], dict[str, Any]]) -> None:
    _, job = bundle

    assert job["schedule"]["timezone_id"] == "UTC"
    assert len(bundle[0]["variables"]["cron"]["default"].split()) == 6, "Quartz has seconds"
    assert job["max_concurrent_runs"] == 1
    assert job["tasks"][0]["max_retries"] == 1


def test_what_the_databricks_page_tells_to_put_is_what_the_cluster_reads() -> None:
    page = (DEPLOY / "databricks" / "README.md").read_text(encoding="utf-8")
    read = re.findall(r"secret_scope\}/(\w+)\}", (DEPLOY / "databricks/resources/alertgraph.job.yml").read_text())

    assert set(re.findall(r"put-secret alertgraph (\w+)", page)) == set(read) == {"client_secret"}
    assert "spark.checkpoint.dir" in load_settings(REPO / "conf" / "databricks.yaml").spark.conf


# --- Fabric and Azure Machine Learning


def test_the_fabric_definition_has_the_published_shape_and_starts_the_job() -> None:
    item = DEPLOY / "fabric" / "alertgraph.SparkJobDefinition"
    definition = json.loads((item / "SparkJobDefinitionV1.json").read_text(encoding="utf-8"))
    platform = json.loads((item / ".platform").read_text(encoding="utf-8"))
    page = (DEPLOY / "fabric" / "README.md").read_text(encoding="utf-8")

    assert set(definition) == {
        *("executableFile", "defaultLakehouseArtifactId", "mainClass", "additionalLakehouseIds", "retryPolicy"),
        *("commandLineArguments", "additionalLibraryUris", "language", "environmentArtifactId"),
    }
    assert f"{platform['metadata']['displayName']}.{platform['metadata']['type']}" == item.name, (
        "as a folder of Git has it"
    )
    assert definition["language"] == "Python"
    assert definition["executableFile"].endswith("/rank_alerts.py")
    assert definition["commandLineArguments"] in page
    args = arguments("", shlex.split(definition["commandLineArguments"]))
    assert args.config == Path("/lakehouse/default/Files/alertgraph/conf/fabric.yaml")
    settings = load_settings(REPO / "conf" / "fabric.yaml")
    assert settings.tracking.uri == "default"
    assert settings.export.root.startswith("abfss://")
    assert settings.post.principal is not None
    assert settings.post.credential == "keyvault://EXAMPLE/alertgraph-client-secret", "no linked services there"


@pytest.mark.parametrize("platform", ["synapse", "databricks", "fabric", "local"])
def test_where_a_container_of_a_custom_table_is_called_otherwise_stands_beside_it(platform: str) -> None:
    lines = (REPO / "conf" / f"{platform}.yaml").read_text(encoding="utf-8").splitlines()

    for line in (line for line in lines if "_CL, format" in line):
        (table,) = re.findall(r"table: (\w+)", line)
        assert line.endswith(f"# container: am-{table.lower().replace('_', '-')}"), line


def test_the_machine_learning_job_has_the_published_shape(tmp_path: Path) -> None:
    ml = pytest.importorskip("azure.ai.ml", reason="azure-ai-ml is not installed: it brings too much for one file")
    text = (DEPLOY / "azure_ml" / "job.yml").read_text(encoding="utf-8").replace("EXAMPLE", "soc")
    for name, content in (("job.yml", text), ("environment.yml", "name: x")):
        (tmp_path / name).write_text(content, encoding="utf-8")

    job = ml.load_job(tmp_path / "job.yml")

    assert job._validate().passed
    assert set(job.inputs) == {"model", "alerts", "results"}


def test_the_machine_learning_job_calls_the_script_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    job = yaml.safe_load((DEPLOY / "azure_ml" / "job.yml").read_text(encoding="utf-8"))
    environment = yaml.safe_load((DEPLOY / "azure_ml" / job["environment"]["conda_file"]).read_text(encoding="utf-8"))
    script = load(REPO / "examples" / "score_compiled.py")
    with pytest.raises(SystemExit):
        script.main(["--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))

    assert (DEPLOY / "azure_ml" / job["code"] / "score_compiled.py").resolve().is_file()
    assert {flag for flag in re.findall(r"--[a-z-]+", job["command"]) if flag not in known} == set()
    assert set(re.findall(r"\$\{\{inputs\.(\w+)\}\}", job["command"])) == set(job["inputs"])
    assert set(re.findall(r"\$\{\{outputs\.(\w+)\}\}", job["command"])) == set(job["outputs"])
    assert job["identity"] == {"type": "managed"}, "which opens the inputs"
    needs = " ".join(environment["dependencies"][-1]["pip"])
    assert all(name in needs for name in ("mlflow", "azureml-mlflow", "pandas", "pyarrow"))


# --- the page of the matrix


def test_every_platform_has_a_row_that_says_what_was_not_verified() -> None:
    platforms = yaml.safe_load((REPO / "benchmarks" / "platforms.yaml").read_text(encoding="utf-8"))
    page = (REPO / "docs" / "platforms.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    head = next(row for row in rows if row[0] == "platform")

    for platform in platforms:
        mine = [dict(zip(head, row, strict=True)) for row in rows if row[0] == platform["name"]]
        assert mine, platform["name"]
        for row in mine:
            assert row["not verified here"].startswith(platform["unknown"])
            assert row["Python"].startswith(platform["python"])
            wanted = dict(re.findall(r"([\w-]+)==([\d.]+)", " ".join(platform["requirements"])))
            assert row["Spark"] == wanted.get("pyspark", row["Spark"])
            assert row["MLflow"] == wanted.get("mlflow-skinny", row["MLflow"])
            assert [row[check][:2] for check in ("imports", "job", "ranking", "model")] == ["ok"] * 4


def test_a_ranking_that_differs_is_told_and_a_failure_is_no_good_row() -> None:
    bench = load(REPO / "benchmarks" / "platforms.py")
    platform = {"name": "a place", "key": "a", "python": "3.11", "start": "wheel", "unknown": "the place itself"}
    good = {"imports": "ok, 9 modules", "job": "ok, 7 s", "model": "ok"}
    one, same, other, failed = (
        bench.Row(platform, "17", commit="0a1b2c3", checks=good | {"ranking": f"ok, {digest}"})
        for digest in ("a1", "a1", "b2", "a1")
    )
    failed.checks["model"] = "**failed**: ended with 1: no such run"

    bench.compare([one, same, other, failed])

    assert [row.checks["ranking"] for row in (one, same, other)] == ["ok, a1", "ok, a1", "**differs**: b2"]
    assert [row.is_good for row in (one, same, other, failed)] == [True, True, False, False]
    bench.compare([one], ["c3"])
    assert one.checks["ranking"] == "**differs**: a1", "from the lines that are kept"
    table = bench.table([same.cells(), failed.cells()])
    assert table.splitlines()[2].endswith("| the place itself; GraphFrames |")
    page = bench.with_table(f"before\n{bench.BEGIN}\nold\n{bench.END}\nafter\n", table)
    assert page == f"before\n{bench.BEGIN}\n{table}\n{bench.END}\nafter\n"
    assert bench.lines_of(page) == [same.cells(), failed.cells()]
