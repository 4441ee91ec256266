"""W in dropoff on Spark: the models of W, one after the other, with what each moved.

    .venv-spark/bin/python bench/engines/dropoff_spark.py LANDING WORK_FOLDER

Leaves w.duckdb, the marts, in the work folder, and measured.json: {cpu: seconds of Spark and of the
Python that drives it, peak_gb: of both, models: {model: {wall: seconds, cpu: seconds of its tasks,
shuffled: bytes written for other tasks, written: bytes of tables, spilled: bytes, longest: seconds
of its longest task}}}.
"""

import json
import os
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

from dropoff import MODELS
from settings import ROOT, SEEDS

sys.path.append(str(ROOT / "steps"))
import spark

# what a task says of itself, and the unit it says it in
MEASURES = {
    "cpu": (("Executor CPU Time",), 1e-9),
    "shuffled": (("Shuffle Write Metrics", "Shuffle Bytes Written"), 1),
    "written": (("Output Metrics", "Bytes Written"), 1),
    "spilled": (("Disk Bytes Spilled",), 1),
}


def of_processes(*process_ids: int) -> dict[str, float]:
    """Seconds of CPU and the most memory of processes that still run."""
    cpu, peak = 0.0, 0.0
    for process_id in process_ids:
        # the fields after the name, which may hold anything
        fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
        cpu += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        status = Path(f"/proc/{process_id}/status").read_text()
        peak += int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e9
    return {"cpu": cpu, "peak_gb": peak}


def moment(text: str) -> float:
    """Seconds since the epoch of a time that dbt wrote."""
    return datetime.fromisoformat(text).timestamp()


def intervals(target: Path) -> list[tuple[float, float, str]]:
    """(start, end, model) in seconds since the epoch, of each model that dbt ran."""
    results = json.loads((target / "run_results.json").read_text(encoding="utf-8"))["results"]
    return [
        (
            moment(part["started_at"]),
            moment(part["completed_at"]),
            result["unique_id"].split(".")[-1],
        )
        for result in results
        for part in result["timing"]
        if part["name"] == "execute"
    ]


def measured(log: Path, target: Path) -> dict[str, dict[str, float]]:
    """What the tasks of each model took: a task is of the model that ran when it started."""
    runs = intervals(target)
    models = {model: Counter(wall=end - start) for start, end, model in runs}
    with open(log, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            if event["Event"] != "SparkListenerTaskEnd":
                continue
            task, metrics = event["Task Info"], event.get("Task Metrics")
            started = task["Launch Time"] / 1000
            model = next((name for start, end, name in runs if start <= started <= end), None)
            if model is None or not metrics:
                continue
            of_model = models[model]
            for name, (path, unit) in MEASURES.items():
                value = metrics
                for key in path:
                    value = value[key]
                of_model[name] += value * unit
            took = (task["Finish Time"] - task["Launch Time"]) / 1000
            of_model["longest"] = max(of_model["longest"], took)
    return models


def main() -> int:
    """Build, write the marts and measured.json. Returns the exit code."""
    landing, work = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    warehouse, logs = work / "w.duckdb", work / "spark-events"
    logs.mkdir()
    os.environ |= {
        "DROPOFF_EVENTS": str(landing),
        "DROPOFF_SEEDS": str(SEEDS),
        "DROPOFF_WAREHOUSE": str(warehouse),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
        # one file, with every task in it
        "PYSPARK_SUBMIT_ARGS": "--conf spark.eventLog.enabled=true "
        "--conf spark.eventLog.compress=false --conf spark.eventLog.rolling.enabled=false "
        f"--conf spark.eventLog.dir={logs.as_uri()} pyspark-shell",
    }
    os.environ |= spark.environment(warehouse)
    os.chdir(ROOT)
    selection = ["--threads", "1", "--select", *(f"+{model}" for model in MODELS)]
    if not spark.build(selection, {}):
        return 1
    spark.export(spark.spark_warehouse(warehouse) / "tables", warehouse)
    session = spark.SparkSession.builder.getOrCreate()
    whole = of_processes(os.getpid(), session.sparkContext._gateway.proc.pid)
    session.stop()
    [log] = [path for path in logs.iterdir() if path.is_file()]
    told = whole | {"models": measured(log, ROOT / "target" / "spark-of-spark")}
    (work / "measured.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
