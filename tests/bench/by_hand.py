"""A webhook receiver as one writes it by hand: it reads the event and answers."""

from fastapi import FastAPI, Request

app = FastAPI()


@app.get("/ping")
async def ping():
    return {}


@app.post("/")
async def take(request: Request):
    event = await request.json()
    return {"rule": event["rule"]}
